package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/imreuse/imreuse/cmd/imreuse/internal/play"
	"github.com/imreuse/imreuse/internal/loopback"
)

const playDoc = `Serves a page to this machine only, until a signal comes. The page shows a live
engine: the ladder, who is logged in, and the story of what happened. Its
controls log IM and the kit in and out, behind the engine's back and through it,
change the mode, and do what the service does: kick the login, take the link
down, let a token run out, and make a call fail or hang. Four stories run at a
click. For each act, the page also shows what the vendor's kits would have
given, with the sentence of the vendor's guides that says so.

The IM cloud and the kit server are in memory: nothing is sent over the network.
There is one engine per server, and everybody who opens the page shares it.

-open opens the page in the browser that the system chooses.`

const (
	playPace        = 1200 * time.Millisecond // between two steps of a story, to watch them
	playTimeout     = 15 * time.Second        // to read a request
	playConnections = 64
)

func playCommand() *cli.Command {
	return &cli.Command{
		Name:        "play",
		Usage:       "look into an engine in a browser, and play with it",
		Description: playDoc,
		Flags: []cli.Flag{
			addrFlag(),
			&cli.BoolFlag{Name: "open", Usage: "open the page in a browser"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			show := func(string) {}
			if c.Bool("open") {
				show = func(url string) {
					if err := openBrowser(url); err != nil {
						fmt.Fprintf(c.Root().ErrWriter, "imreuse: no browser could be opened: %v\n", err)
					}
				}
			}
			return servePlay(ctx, c.String("addr"), c.Root().Writer, show)
		},
	}
}

// servePlay serves the page on addr until ctx ends. It calls show with the page's
// address once it can be opened.
func servePlay(ctx context.Context, addr string, out io.Writer, show func(url string)) error {
	listener, err := loopback.Listen(addr)
	if err != nil {
		return err
	}
	listener.Limit(playConnections)
	session, err := play.New(playPace)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           session.Handler(),
		ReadHeaderTimeout: playTimeout,
		ReadTimeout:       playTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	listener.Serve(server)
	url := "http://" + listener.Addr() + "/"
	_, err = fmt.Fprintf(out, "Open %s in a browser. Ctrl-C stops the server.\n", url)
	if err == nil {
		show(url)
		<-ctx.Done()
	}
	if closing := listener.Close(); err == nil {
		err = closing
	}
	if closing := session.Close(); err == nil {
		err = closing
	}
	return err
}
