// Command imreuse demonstrates the engine, and helps you to develop and operate
// programs that use it. Run it with -h to see its commands.
//
// The exit status is 0 for success, 1 for a failure, 2 for a usage error, and 130
// after SIGINT. SIGTERM is the normal way to stop play, sandbox and gateway, so they
// then exit with 0; every other command exits with 143.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/loopback"
)

const (
	exitFailure   = 1
	exitUsage     = 2
	exitInterrupt = 128 + int(syscall.SIGINT)
	exitTerminate = 128 + int(syscall.SIGTERM)
)

func main() {
	ctx, stop := untilSignal(context.Background())
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// A stopSignal is the cause of a ctx that a signal ended.
type stopSignal struct{ os.Signal }

func (s stopSignal) Error() string { return "stopped by the signal " + s.String() }

// untilSignal returns a ctx that ends at SIGINT or SIGTERM. A second signal kills
// the process, in case the first one does not stop it.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(stopSignal{s})
		case <-ctx.Done():
			signal.Stop(signals)
		}
	}()
	return ctx, func() { cancel(nil) }
}

// run runs the command, prints its error, and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	err := root.Run(ctx, args)
	code := exitStatus(ctx, err)
	switch code {
	case 0, exitInterrupt, exitTerminate: // the user knows about their own signal
	case exitUsage:
		fmt.Fprintln(stderr, "imreuse:", usageText(err))
	default:
		fmt.Fprintln(stderr, "imreuse:", explainTakenPort(root, err))
	}
	return code
}

func newRoot(stdout, stderr io.Writer) *cli.Command {
	root := &cli.Command{
		Name:                            "imreuse",
		Usage:                           "IM reuse for NEMeetingKit and NERoom: one IM login for the app and the kit",
		Version:                         readVersions().Module,
		Writer:                          stdout,
		ErrWriter:                       stderr,
		ExitErrHandler:                  func(context.Context, *cli.Command, error) {}, // run prints it
		ArgValidator:                    checkArgs,
		EnableShellCompletion:           true,
		ConfigureShellCompletionCommand: showCompletion,
		Commands: []*cli.Command{
			demoCommand(), playCommand(), sandboxCommand(), provisionCommand(), gatewayCommand(), doctorCommand(), versionCommand(),
		},
	}
	reportUsage(root)
	return root
}

// exitStatus returns the exit status for a command that returned err. After
// SIGINT it is 130 even if the command then stopped cleanly.
func exitStatus(ctx context.Context, err error) int {
	var stopped stopSignal
	switch {
	case errors.As(context.Cause(ctx), &stopped) && stopped.Signal == os.Interrupt:
		return exitInterrupt
	case err == nil:
		return 0
	case stopped.Signal != nil:
		return exitTerminate
	case isUsage(err):
		return exitUsage
	}
	return exitFailure
}

// isUsage reports whether the user called the command wrongly. The backends
// report a bad value as engine.ErrArgument.
func isUsage(err error) bool {
	var usage *usageError
	return errors.As(err, &usage) || isUnknownTopic(err) || errors.Is(err, engine.ErrArgument)
}

// explainTakenPort turns the error of a port that is in use into one that names
// the flag that chose it.
func explainTakenPort(root *cli.Command, err error) error {
	var op *net.OpError
	if !errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, &op) || op.Addr == nil {
		return err
	}
	flag := cmp.Or(flagWithPort(root, op.Addr.String()), "addr")
	return fmt.Errorf("port %s is taken: choose another with -%s", op.Addr, flag)
}

// flagWithPort returns the name of the flag that was set to the port of addr, or
// "" if none was.
func flagWithPort(c *cli.Command, addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	for _, f := range c.Flags {
		if _, set, err := net.SplitHostPort(fmt.Sprint(f.Get())); f.IsSet() && err == nil && set == port {
			return f.Names()[0]
		}
	}
	for _, sub := range c.Commands {
		if name := flagWithPort(sub, addr); name != "" {
			return name
		}
	}
	return ""
}

// takenPort returns net's own error if the port of addr is taken. It is for a
// child process, which can report that only as text. For a bad addr it
// returns nil.
func takenPort(addr string) error {
	if host, _, err := net.SplitHostPort(addr); err != nil || !loopback.Is(host) {
		return nil
	}
	listener, err := net.Listen("tcp", addr)
	if err == nil {
		listener.Close()
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	return nil
}

// addrFlag is the -addr flag of the commands that listen.
func addrFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "addr", Value: "127.0.0.1:0", Local: true,
		Usage: "listen on this loopback `ADDRESS`; port 0 takes a free one",
		Validator: func(addr string) error {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil // the listener reports what is wrong
			}
			_, err = net.LookupPort("tcp", port)
			return err
		},
	}
}
