package main

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/internal/pageguard"
	"github.com/wangkuiyi/orrery/serve"
)

// tokenVariable holds the token of orrery serve, which a command line would show to every user of the machine.
const tokenVariable = "ORRERY_SERVE_TOKEN"

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:      "serve",
		Usage:     "answer over HTTP what a trained run makes of pictures, with a page to drop one on",
		ArgsUsage: "RUN",
		Description: "POST /predict[?top=K] takes a picture's file, or a multipart form with several; POST /explain one, for Grad-CAM.\n" +
			"GET / is the page; /about, /healthz and /metrics tell of the server. $" + tokenVariable + " is the token to ask for;\n" +
			"when listening to other machines one is made up and printed where there is none.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Usage: "address and port; any other than this machine's loopback asks for a token", Value: "127.0.0.1:8000"},
			&cli.StringSliceFlag{Name: "host", Usage: "name that requests may address the server by; repeat for more (default: loopback's, or any with a token)"},
			deviceFlag(),
			&cli.IntFlag{Name: "threads", Usage: "that compute the network", DefaultText: "half the cores"},
			&cli.IntFlag{Name: "max-batch", Usage: "pictures that go through the network at once", Value: 16},
			&cli.IntFlag{Name: "queue", Usage: "pictures that may be on their way; more are answered 429", Value: 256},
			&cli.Int64Flag{Name: "max-bytes", Usage: "of a picture's file", Value: 20 << 20},
			&cli.IntFlag{Name: "max-pixels", Usage: "of a picture", Value: 64_000_000},
			&cli.DurationFlag{Name: "patience", Usage: "how long a picture may wait before it is answered 503", Value: 10 * time.Second},
		},
		Action: serveRun,
	}
}

func serveRun(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("serve takes one RUN, such as: orrery serve runs/planets")
	}
	for _, name := range []string{"max-batch", "queue", "max-pixels"} {
		if c.Int(name) < 1 {
			return usagef("%s is %d; it must be at least 1", name, c.Int(name))
		}
	}
	if c.IsSet("threads") && c.Int("threads") < 1 {
		return usagef("threads is %d; it must be at least 1", c.Int("threads"))
	}
	if c.Int64("max-bytes") < 1 || c.Duration("patience") <= 0 {
		return usagef("max-bytes is %d and patience %v; both must be positive", c.Int64("max-bytes"), c.Duration("patience"))
	}
	host, _, err := net.SplitHostPort(c.String("listen"))
	if err != nil {
		return usagef("listen is %q; it must be an address and a port, such as 127.0.0.1:8000", c.String("listen"))
	}
	token := os.Getenv(tokenVariable)
	if token == "" && !pageguard.IsLoopback(host) {
		token = rand.Text()
		fmt.Fprintf(c.App.ErrWriter, "orrery: other machines reach this address, so each request must carry the token %s\n", token)
	}
	hosts := c.StringSlice("host")
	for i := range hosts {
		hosts[i] = strings.ToLower(hosts[i])
	}
	server, err := serve.Open(c.Args().First(), c.String("device"), serve.Options{
		Token: token, Hosts: hosts, Threads: c.Int("threads"), MaxBatch: c.Int("max-batch"), Queue: c.Int("queue"), MaxBytes: c.Int64("max-bytes"),
		MaxPixels: c.Int("max-pixels"), Patience: c.Duration("patience"), Log: newLogger(c.App.ErrWriter),
	})
	if err != nil {
		return err
	}
	defer server.Close()
	listener, err := (&net.ListenConfig{}).Listen(c.Context, "tcp", c.String("listen"))
	if err != nil {
		return fmt.Errorf("listen address %s: %w", c.String("listen"), err)
	}
	address := "http://" + listener.Addr().String() + "/"
	if token != "" {
		fmt.Fprintf(c.App.Writer, "%s?token=%s\n", address, token)
	} else {
		fmt.Fprintln(c.App.Writer, address)
	}
	return server.Serve(c.Context, listener)
}
