package fetch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// unreachable starts a server that nobody must reach and counts the connections made to it.
func unreachable(t *testing.T) (port string, connections *atomic.Int64) {
	t.Helper()
	connections = &atomic.Int64{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	_, port, _ = net.SplitHostPort(server.Listener.Addr().String())
	return port, connections
}

// names serves DNS over UDP on loopback: each question for an A record gets the next answer, the last one for ever after. It returns a
// resolver that asks there, and the count of questions.
func names(t *testing.T, answers ...string) (*net.Resolver, *atomic.Int64) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	asked := &atomic.Int64{}
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			end := 12
			for end < n && buffer[end] != 0 { // the labels of the name asked for
				end += int(buffer[end]) + 1
			}
			end += 5 // the root, the type and the class
			if end > n {
				continue
			}
			reply := append([]byte(nil), buffer[:end]...)
			reply[2], reply[3] = 0x81, 0x80                            // an answer, recursion done
			copy(reply[4:12], []byte{0, 1, 0, 0, 0, 0, 0, 0})          // one question
			if reply[end-4] == 0 && reply[end-3] == 1 && n < 12+1000 { // A
				answer := answers[min(int(asked.Add(1)), len(answers))-1]
				reply[7] = 1
				reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				address := netip.MustParseAddr(answer).As4()
				reply = append(reply, address[:]...)
			}
			_, _ = socket.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", socket.LocalAddr().String())
	}}, asked
}

// spellings are ways to write this machine, its networks and its provider's.
var spellings = []string{"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "localhost", "localhost.", "LOCALHOST", "[::1]",
	"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "0.0.0.0", "0", "[::]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "169.254.169.254",
	"[::ffff:169.254.169.254]", "[fe80::1]", "[fe80::1%25lo]", "[fd00:ec2::254]", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1", "[fc00::1]", "224.0.0.1", "255.255.255.255",
	"[ff02::1]", "127.0.0.1.nip.invalid", "%31%32%37.0.0.1", "①②⑦.0.0.1"}

// strict makes no second attempt and reaches nothing private.
func strict() Options {
	o := quick
	o.AllowPrivate, o.Attempts, o.Timeout = false, 1, 3*time.Second
	return o
}

// TestPrivateAddressesAreNotDialled asks for this machine and its networks in every spelling; not one connection is made.
func TestPrivateAddressesAreNotDialled(t *testing.T) {
	port, connections := unreachable(t)
	c := New(strict())
	for _, host := range spellings {
		_, err := get(c, "http://"+host+":"+port+"/")
		if got := reason(err); got != PrivateAddress && got != Unreachable && got != BadAddress {
			t.Errorf("%s: %v, want it refused", host, err)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// TestRedirectsToPrivateAddresses has a server that may be reached send on to ones that may not: every hop is checked when it is dialled.
func TestRedirectsToPrivateAddresses(t *testing.T) {
	port, connections := unreachable(t)
	var to string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" { // by way of itself
			http.Redirect(w, r, "/next", http.StatusMovedPermanently)
			return
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	o := strict()
	o.except = server.Listener.Addr().String()
	c := New(o)
	for _, host := range spellings {
		to = "http://" + host + ":" + port + "/"
		_, err := get(c, server.URL)
		if got := reason(err); got != PrivateAddress && got != Unreachable && got != BadAddress {
			t.Errorf("%s: %v, want it refused", host, err)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// TestRebinding asks for a name that means a harmless address when it is first looked up, and this machine from then on. Whatever was
// looked up before, the address dialled is the one checked.
func TestRebinding(t *testing.T) {
	port, connections := unreachable(t)
	resolver, asked := names(t, "192.0.2.1", "127.0.0.1")
	o := strict()
	o.resolver = resolver
	c := New(o)
	for range 3 {
		if _, err := get(c, "http://rebind.example:"+port+"/"); reason(err) != PrivateAddress {
			t.Errorf("%v, want it refused", err)
		}
	}
	if asked.Load() < 3 || connections.Load() != 0 {
		t.Errorf("%d questions, %d connections, want 3 or more and none", asked.Load(), connections.Load())
	}
	// The same name is reached when that is allowed: it was the check that refused.
	o.AllowPrivate = true
	if _, err := get(New(o), "http://rebind.example:"+port+"/"); err != nil || connections.Load() != 1 {
		t.Errorf("%v, %d connections, want one", err, connections.Load())
	}
}

// TestProxyChecksNames has a proxy make the connections: names and addresses that are private never get to it.
func TestProxyChecksNames(t *testing.T) {
	var passed atomic.Int64
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { passed.Add(1) })
	o := strict()
	o.Proxy, _ = url.Parse(proxy.URL)
	c := New(o)
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1."} {
		if _, err := get(c, "http://"+host+"/"); reason(err) != PrivateAddress && reason(err) != BadAddress {
			t.Errorf("%s: %v, want it refused", host, err)
		}
	}
	if n := passed.Load(); n != 0 {
		t.Errorf("%d requests got to the proxy", n)
	}
	if _, err := get(c, "http://93.184.216.34/"); err != nil || passed.Load() != 1 {
		t.Errorf("a public address through the proxy: %v", err)
	}
}

// TestControl checks what is dialled.
func TestControl(t *testing.T) {
	check := control(false, "")
	if err := check("tcp4", "93.184.216.34:80", nil); err != nil {
		t.Error(err)
	}
	for _, address := range []string{"127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "nonsense:80", "169.254.169.254:80"} {
		if err := check("tcp4", address, nil); !errors.Is(err, errPrivate) {
			t.Errorf("%s may be dialled: %v", address, err)
		}
	}
	if err := check("unix", "/run/socket", nil); err == nil {
		t.Error("a socket may be dialled")
	}
}
