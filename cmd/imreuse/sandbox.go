package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/internal/accounts"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

const sandboxDoc = `The kit server answers kit logins, anonymous logins and token checks as the
vendor's does, to clients in any language, including browsers. The server API
creates and shows accounts of IM (v2), NERoom and NEMeeting, and the kit server
knows them at once. The IM cloud consists of an address service and a link
server. The vendor's own JavaScript SDKs can log in to it with the same accounts,
in Node and in web pages: 10.x and the web guide's 9.x. The cloud is not a NIM
server, and carries no messages.

The first line of output is JSON with every address and secret, here in four lines:

   {"kit":"http://127.0.0.1:40000","api":"http://127.0.0.1:40000",
    "gateway":"http://127.0.0.1:40001","gatewaySecret":"0f8f…",
    "lbs":"http://127.0.0.1:40002/lbs","link":"127.0.0.1:40002",
    "control":"http://127.0.0.1:40003","controlSecret":"5c1d…"}

The gateway does what "imreuse gateway" does, without Node. It logs in only the
sandbox's accounts, even if a client asks for other servers. To use the IM cloud
with the SDK, set lbsUrls to lbs, linkUrl to link, and linkSSL to false; with 9.x
set lbsUrl to lbs, defaultLink to link, and secure to false.

Every web page may use the kit server, the server API and the IM cloud, as with
the vendor's servers. With -origin, only pages from this machine and of the
origins that it names may.

Through the control endpoint, a test can kick an account, end a login, expire a
kit token, take a link down and bring it back, and make calls fail:

   curl -sSf -H "Authorization: Bearer $IMREUSE_CONTROL_SECRET" \
     -d '{"accid": "myaccid", "reason": 2}' $IMREUSE_CONTROL_URL/v1/kick

docs/sandbox.md describes each call, and how to use the sandbox from a script. It
is at https://github.com/imreuse/imreuse/blob/main/docs/sandbox.md

The sandbox listens on loopback only and runs until it is interrupted. If there
are 1000 temporary accounts, a new one replaces the oldest that is not logged in
to IM. Without -accounts, the sandbox has the accounts of the vendor's guides:

   {"appKey": "` + nimhttptest.AppKey + `", "appSecret": "` + nimhttptest.AppSecret + `",
    "im":  [{"accid": "` + nimhttptest.Accid + `", "token": "` + nimhttptest.IMToken + `"}],
    "kit": [{"userUuid": "` + nimhttptest.UserUUID + `", "userToken": "` + nimhttptest.UserToken + `", "accid": "` + nimhttptest.Accid + `"}]}

The accounts file has the same form. appSecret is optional; without it the server
API refuses every call, and the kit server and the IM cloud refuse every dynamic
token. With it they check the signature and the lifetime of dynamic tokens. The
vendor's web kit needs a kit account whose userUuid equals the accid that it is
bound to.`

// addresses are the addresses and secrets that clients need, under their names in
// JSON and in a shell's environment.
type addresses struct {
	Kit           string `json:"kit" env:"IMREUSE_KIT_URL"`
	API           string `json:"api" env:"IMREUSE_API_URL"`
	Gateway       string `json:"gateway" env:"IMREUSE_GATEWAY_URL"`
	GatewaySecret string `json:"gatewaySecret" env:"IMREUSE_GATEWAY_SECRET"`
	LBS           string `json:"lbs" env:"IMREUSE_LBS_URL"`
	Link          string `json:"link" env:"IMREUSE_LINK_ADDR"`
	Control       string `json:"control" env:"IMREUSE_CONTROL_URL"`
	ControlSecret string `json:"controlSecret" env:"IMREUSE_CONTROL_SECRET"`
}

// exports returns the addresses as lines for a POSIX shell.
func (a addresses) exports() []byte {
	var lines []byte
	v := reflect.ValueOf(a)
	for _, field := range reflect.VisibleFields(v.Type()) {
		quoted := strings.ReplaceAll(v.FieldByIndex(field.Index).String(), "'", `'\''`)
		lines = fmt.Appendf(lines, "export %s='%s'\n", field.Tag.Get("env"), quoted)
	}
	return lines
}

func sandboxCommand() *cli.Command {
	return &cli.Command{
		Name:        "sandbox",
		Usage:       "serve the vendor's kit server, server API and IM cloud on this machine, for development offline",
		Description: sandboxDoc,
		Flags: []cli.Flag{
			addrFlag(),
			&cli.StringFlag{Name: "gateway-addr", Value: anyPort, Usage: "the loopback `ADDRESS` of the gateway"},
			&cli.StringFlag{Name: "im-addr", Value: anyPort, Usage: "the loopback `ADDRESS` of the IM cloud"},
			&cli.StringFlag{Name: "control-addr", Value: anyPort, Usage: "the loopback `ADDRESS` of the control endpoint"},
			secretFlag("gateway-secret", "gateway", "IMREUSE_GATEWAY_SECRET"),
			secretFlag("control-secret", "control endpoint", "IMREUSE_CONTROL_SECRET"),
			&cli.StringFlag{Name: "accounts", Usage: "read the accounts from this JSON `FILE`"},
			&cli.StringFlag{Name: "out", Usage: "also write the JSON to this `FILE`, and remove it at the end"},
			&cli.StringSliceFlag{Name: "origin", Usage: "serve only web pages from this machine and of this `ORIGIN`, such as https://dev.example.com; may be repeated"},
			&cli.BoolFlag{Name: "env", Usage: "print lines for a shell, such as export IMREUSE_KIT_URL='…', instead of JSON"},
			&cli.BoolFlag{Name: "v", Usage: "log each request to stderr: method, path, status, duration and peer, but no token"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			s, err := newSandbox(c)
			if err != nil {
				return err
			}
			return s.serve(ctx, c.Root().Writer)
		},
	}
}

const anyPort = "127.0.0.1:0"

func secretFlag(name, of, env string) cli.Flag {
	return &cli.StringFlag{Name: name, Sources: cli.EnvVars(env), Usage: "the `SECRET` of the " + of + "; default: a new one"}
}

// A sandbox has the settings that the flags chose.
type sandbox struct {
	options       nimhttptest.Options
	imAddr        string
	controlAddr   string
	controlSecret string
	out           string // the file to write the JSON to; "": none
	asExports     bool
}

func newSandbox(c *cli.Command) (*sandbox, error) {
	s := &sandbox{
		imAddr:        c.String("im-addr"),
		controlAddr:   c.String("control-addr"),
		controlSecret: c.String("control-secret"),
		out:           c.String("out"),
		asExports:     c.Bool("env"),
	}
	if c.IsSet("out") && s.out == "" {
		return nil, errors.New("-out: the name of the file is empty")
	}
	s.options.AppSecret = nimhttptest.AppSecret
	if c.IsSet("accounts") {
		var err error
		if s.options, err = readAccounts(c.String("accounts")); err != nil {
			return nil, err
		}
	}
	s.options.Addr = c.String("addr")
	s.options.Origins = c.StringSlice("origin")
	s.options.GatewayAddr = c.String("gateway-addr")
	s.options.GatewaySecret = c.String("gateway-secret")
	for name, secret := range map[string]string{"-gateway-secret": s.options.GatewaySecret, "-control-secret": s.controlSecret} {
		if secret == "" {
			continue
		}
		if err := accounts.CheckText(name, secret); err != nil {
			return nil, err
		}
	}
	if s.controlSecret == "" {
		s.controlSecret = uuid.NewString()
	}
	if c.Bool("v") {
		s.options.Logger = slog.New(slog.NewTextHandler(c.Root().ErrWriter, nil))
	}
	return s, nil
}

// serve serves until ctx ends.
func (s *sandbox) serve(ctx context.Context, out io.Writer) error {
	server, err := nimhttptest.Start(s.options)
	if err != nil {
		return err
	}
	defer server.Close()
	cloud, err := nimcloud.Start(nimcloud.Options{
		World: server.World(), Addr: s.imAddr, AppSecret: s.options.AppSecret, Logger: s.options.Logger, Origins: s.options.Origins,
	})
	if err != nil {
		return err
	}
	defer cloud.Close()
	control, err := startControl(s.controlAddr, s.controlSecret, server, cloud, s.options.Logger)
	if err != nil {
		return err
	}
	stop := sync.OnceValue(func() error {
		return errors.Join(control.listener.Close(), cloud.Close(), server.Close())
	})
	defer stop()
	remove, err := s.announce(out, addresses{
		server.KitURL(), server.APIURL(), server.GatewayURL(), server.GatewaySecret(),
		cloud.LBSURL(), cloud.LinkAddr(), control.url(), s.controlSecret,
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return errors.Join(remove(), stop())
}

// announce prints where the servers are, and writes the file of -out. It returns
// a function that removes the file.
func (s *sandbox) announce(out io.Writer, at addresses) (remove func() error, err error) {
	text, err := json.Marshal(at)
	if err != nil {
		return nil, err
	}
	text = append(text, '\n')
	remove = func() error { return nil }
	if s.out != "" {
		if err := writeFile(s.out, text); err != nil {
			return nil, fmt.Errorf("-out: %w", err)
		}
		remove = func() error { return removeOwn(s.out, text) }
	}
	if s.asExports {
		text = at.exports()
	}
	if _, err := out.Write(text); err != nil {
		return nil, errors.Join(err, remove())
	}
	return remove, nil
}

// writeFile writes a file that only this user can read, because it has secrets in
// it. The file appears with all its contents.
func writeFile(name string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}

// removeOwn removes the file, unless another sandbox has written it since.
func removeOwn(name string, text []byte) error {
	now, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.Equal(now, text) {
		return nil
	}
	return errors.Join(err, os.Remove(name))
}
