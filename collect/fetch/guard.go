package fetch

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// errPrivate marks a connection refused because of its address.
var errPrivate = errors.New("address is not a public one")

// never lists networks that no picture is fetched from, with or without AllowPrivate: what stands for no host, many
// hosts, or the machine's own cloud provider (RFC 6890 and the IANA special-purpose registries).
var never = prefixes("0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4", "::/128", "100::/64", "2001:db8::/32", "fe80::/10", "ff00::/8", "fd00:ec2::/32", "100.100.100.200/32")

// private lists networks of the machine or its site, reached with AllowPrivate only.
var private = prefixes("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15",
	"::1/128", "fc00::/7", "fec0::/10")

// carriers are IPv6 networks whose addresses hold an IPv4 address that packets end up at, and where in them it is.
var carriers = []struct {
	network netip.Prefix
	at      int
	flipped bool
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12, false},   // NAT64, RFC 6052
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12, false}, // local NAT64, RFC 8215
	{netip.MustParsePrefix("2002::/16"), 2, false},       // 6to4, RFC 3056
	{netip.MustParsePrefix("2001::/32"), 12, true},       // Teredo, RFC 4380
	{netip.MustParsePrefix("::/96"), 12, false},          // IPv4-compatible, RFC 4291
}

func prefixes(texts ...string) []netip.Prefix {
	var networks []netip.Prefix
	for _, text := range texts {
		networks = append(networks, netip.MustParsePrefix(text))
	}
	return networks
}

// checkAddress returns an error wrapping errPrivate unless the address may be connected to.
func checkAddress(address netip.Addr, allowPrivate bool) error {
	address = address.Unmap().WithZone("")
	refuse := func(kind string) error { return fmt.Errorf("%w: %s is %s", errPrivate, address, kind) }
	for _, network := range never {
		if network.Contains(address) {
			return refuse("in " + network.String() + ", where no pictures are")
		}
	}
	for _, network := range private {
		if network.Contains(address) {
			if allowPrivate {
				return nil
			}
			return refuse("private or loopback; --allow-private reaches it")
		}
	}
	for _, carrier := range carriers {
		if !carrier.network.Contains(address) {
			continue
		}
		bytes := address.As16()
		inner := [4]byte(bytes[carrier.at : carrier.at+4])
		if carrier.flipped {
			for i := range inner {
				inner[i] = ^inner[i]
			}
		}
		return checkAddress(netip.AddrFrom4(inner), allowPrivate)
	}
	return nil
}

// oddNumber tells whether a host is a number that is no plain address, such as 127.1 or 0x7f000001. Some programs, and proxies among them,
// take it for an IPv4 address (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func oddNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, found := strings.CutPrefix(strings.ToLower(last), "0x"); found {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// control returns a check of the address really dialled, after every name was resolved, so that no spelling of an
// address and no change of a name between check and use gets around it.
func control(allowPrivate bool, except string) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		if network != "tcp4" && network != "tcp6" {
			return fmt.Errorf("%w: %s %s", errPrivate, network, address)
		}
		if address == except {
			return nil
		}
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return err
		}
		parsed, err := netip.ParseAddr(host)
		if err != nil {
			return fmt.Errorf("%w: %s", errPrivate, address)
		}
		return checkAddress(parsed, allowPrivate)
	}
}
