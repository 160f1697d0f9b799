package trainer

import (
	"fmt"
	"net"
	"os"
	"strconv"
)

// A reach is the addresses through which a process meets the others.
type reach struct {
	store string // where the store is, or is to be, served
	local string // this machine's address towards the others
}

// findReach resolves the place's host, and the interface when one is named.
func findReach(p Place, networkInterface string) (reach, error) {
	r := reach{store: p.Host}
	if networkInterface != "" {
		address, err := interfaceAddress(networkInterface)
		if err != nil {
			return r, err
		}
		r.local = address
		if p.Rank == 0 && !p.AgentStore {
			r.store = address
		}
		return r, nil
	}
	// No packet is sent: the kernel says which of our addresses it would send from.
	c, err := net.Dial("udp", net.JoinHostPort(p.Host, strconv.Itoa(p.Port)))
	if err != nil {
		return r, fmt.Errorf("MASTER_ADDR %s: %w", p.Host, err)
	}
	defer c.Close()
	r.local = c.LocalAddr().(*net.UDPAddr).IP.String()
	if net.ParseIP(r.local).IsLoopback() && p.LocalSize < p.Size {
		return r, fmt.Errorf("MASTER_ADDR %s is this machine's loopback address, but only %d of %d processes run here; set MASTER_ADDR to an address that the other machines reach, or name a network interface with --interface",
			p.Host, p.LocalSize, p.Size)
	}
	return r, nil
}

// listen opens the store's port on its address, and on no other.
func (r reach) listen(port int) (*os.File, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(r.store, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("%w; MASTER_ADDR must be an address of the machine of rank 0 and MASTER_PORT free there", err)
	}
	defer l.Close()
	return l.(*net.TCPListener).File()
}

// interfaceAddress is the first address of a network interface, IPv4 before IPv6.
func interfaceAddress(name string) (string, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		var names []string
		all, _ := net.Interfaces() // without them the message is merely shorter
		for _, i := range all {
			names = append(names, i.Name)
		}
		return "", fmt.Errorf("network interface %q: %w; there are %v", name, err, names)
	}
	addresses, err := i.Addrs()
	if err != nil {
		return "", err
	}
	found := ""
	for _, a := range addresses {
		network, ok := a.(*net.IPNet)
		if !ok || network.IP.IsLinkLocalUnicast() {
			continue
		}
		if network.IP.To4() != nil {
			return network.IP.String(), nil
		}
		if found == "" {
			found = network.IP.String()
		}
	}
	if found == "" {
		return "", fmt.Errorf("network interface %q has no address", name)
	}
	return found, nil
}
