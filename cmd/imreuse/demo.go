package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/fatih/color"
	"github.com/urfave/cli/v3"

	"github.com/imreuse/imreuse/engine"
)

const (
	demoAppKey = "demo-app-key"
	demoDoc    = `The IM cloud and the kit server are in memory: nothing is sent over the network
and there is nothing to set up. Every state that you see comes from the engine's
Watch, and every failure is the error that a call returned.

Colour is used on a terminal only, and never if NO_COLOR is set.`
)

// The app's IM account, and somebody else's.
var (
	mine   = engine.IMAccount{Accid: "myAccid", Token: "myToken"}
	theirs = engine.IMAccount{Accid: "otherAccid", Token: "otherToken"}
)

func demoCommand() *cli.Command {
	var mode engine.Mode
	return &cli.Command{
		Name:        "demo",
		Usage:       "show the engine in each mode, and what it does when something fails",
		Description: demoDoc,
		Flags: []cli.Flag{
			&cli.StringFlag{
				Name: "mode", Usage: "show this `MODE` only: auto_login, reuse_im or auto_detect",
				Validator: func(name string) error { return mode.UnmarshalText([]byte(name)) },
			},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			scenes := allScenes
			if c.IsSet("mode") {
				scenes = scenesOf(mode)
			}
			return playDemo(ctx, c.Root().Writer, scenes)
		},
	}
}

// A scene runs in one mode, on its own stage.
type scene struct {
	title string
	mode  engine.Mode
	main  bool // shows the mode itself, not a failure
	play  func(context.Context, *stage) error
}

var allScenes = []scene{
	{"The kit login also initialises IM and logs it in", engine.AutoLogin, true, autoLogin},
	{"The app logs IM in with its own client; the kit reuses that login", engine.ReuseIM, true, reuseIM},
	{"If IM is not logged in, like auto_login; if the app has logged it in, like reuse_im", engine.AutoDetect, true, autoDetect},
	{"100004, and its remedy", engine.ReuseIM, false, notLoggedIn},
	{"100005, and its remedy", engine.ReuseIM, false, mismatch},
	{"112001, and its remedy", engine.ReuseIM, false, noAnonymous},
	{"Kicked by another device, then logged in again", engine.ReuseIM, false, kicked},
}

func scenesOf(m engine.Mode) (scenes []scene) {
	for _, s := range allScenes {
		if s.main && s.mode == m {
			scenes = append(scenes, s)
		}
	}
	return scenes
}

func playDemo(ctx context.Context, out io.Writer, scenes []scene) error {
	p := newPrinter(out)
	fmt.Fprintln(out, "The IM cloud and the kit server are in memory. Each scene starts with a new engine, in the state uninitialized.")
	for _, s := range scenes {
		p.title("%s: %s", s.mode, s.title)
		if err := playScene(ctx, p, s); err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
	}
	return nil
}

func playScene(ctx context.Context, p *printer, s scene) error {
	st, err := newStage(p, s.mode)
	if err != nil {
		return err
	}
	defer st.leave()
	if err := s.play(ctx, st); err != nil {
		return err
	}
	return st.do("Close", func() error { return st.engine.Close() })
}

func autoLogin(ctx context.Context, s *stage) error {
	if err := s.loginKit(ctx); err != nil {
		return err
	}
	return s.logoutKit(ctx)
}

func reuseIM(ctx context.Context, s *stage) error {
	if err := s.hostLogin(ctx, s.device, mine); err != nil {
		return err
	}
	if err := s.loginKit(ctx); err != nil {
		return err
	}
	if err := s.logoutKit(ctx); err != nil {
		return err
	}
	s.note("the app's own IM login is still there: %s", s.device.LoggedIn())
	return nil
}

func autoDetect(ctx context.Context, s *stage) error {
	if err := autoLogin(ctx, s); err != nil {
		return err
	}
	return reuseIM(ctx, s)
}

func notLoggedIn(ctx context.Context, s *stage) error {
	if err := s.wantFailure(engine.ErrIMNotLoggedIn, "LoginKit", func() error { return s.engine.LoginKit(ctx, s.kit) }); err != nil {
		return err
	}
	if err := s.hostLogin(ctx, s.device, mine); err != nil {
		return err
	}
	return s.loginKit(ctx)
}

func mismatch(ctx context.Context, s *stage) error {
	s.cloud.AddIM(theirs)
	if err := s.hostLogin(ctx, s.device, theirs); err != nil {
		return err
	}
	if err := s.wantFailure(engine.ErrIMAccountMismatch, "LoginKit", func() error { return s.engine.LoginKit(ctx, s.kit) }); err != nil {
		return err
	}
	if err := s.createKitAccount(theirs); err != nil {
		return err
	}
	return s.loginKit(ctx)
}

func noAnonymous(ctx context.Context, s *stage) error {
	if err := s.hostLogin(ctx, s.device, mine); err != nil {
		return err
	}
	if err := s.wantFailure(engine.ErrReuseNoAnonymous, "LoginAnonymous", func() error { return s.engine.LoginAnonymous(ctx) }); err != nil {
		return err
	}
	return s.loginKit(ctx)
}

func kicked(ctx context.Context, s *stage) error {
	if err := s.hostLogin(ctx, s.device, mine); err != nil {
		return err
	}
	if err := s.loginKit(ctx); err != nil {
		return err
	}
	other := s.cloud.Device()
	if err := s.hostLogin(ctx, other, mine); err != nil {
		return err
	}
	if err := s.awaitLoss(); err != nil {
		return err
	}
	s.note("the user wants to come back: the other device logs out, and the app logs in again")
	if err := other.HostLogout(ctx); err != nil {
		return err
	}
	if err := s.hostLogin(ctx, s.device, mine); err != nil {
		return err
	}
	return s.loginKit(ctx)
}

// useColour reports whether out is a terminal on which colour is wanted.
func useColour(out io.Writer) bool { return out == os.Stdout && !color.NoColor }

// A printer prints the lines of the demo.
type printer struct {
	out                     io.Writer
	heading, state, failure *color.Color
}

func newPrinter(out io.Writer) *printer {
	p := &printer{out, color.New(color.Bold), color.New(color.FgGreen), color.New(color.FgRed)}
	for _, c := range []*color.Color{p.heading, p.state, p.failure} {
		if useColour(out) {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
	}
	return p
}

func (p *printer) title(format string, args ...any) {
	fmt.Fprintln(p.out)
	p.heading.Fprintf(p.out, format, args...)
	fmt.Fprintln(p.out)
}
