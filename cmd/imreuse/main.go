// Command imreuse shows the engine at work, and serves those who develop
// against it. Run it with -h.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v3"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the command: 0 for success, 1 for a failure, which is printed.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cli.Command{
		Name:           "imreuse",
		Usage:          "IM reuse for NEMeetingKit and NERoom: one IM login for the app and for the kit",
		Writer:         stdout,
		ErrWriter:      stderr,
		ExitErrHandler: func(context.Context, *cli.Command, error) {}, // run prints it
		Commands:       []*cli.Command{demoCommand(), sandboxCommand(), provisionCommand(), gatewayCommand()},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return fmt.Errorf("there is no command %q; see imreuse -h", c.Args().First())
			}
			return cli.ShowRootCommandHelp(c)
		},
	}
	if err := root.Run(ctx, args); err != nil {
		fmt.Fprintln(stderr, "imreuse:", err)
		return 1
	}
	return 0
}

// addrFlag is that of every command that listens.
func addrFlag() cli.Flag {
	return &cli.StringFlag{Name: "addr", Value: "127.0.0.1:0", Usage: "listen on this loopback `ADDRESS`; port 0 takes a free one"}
}
