package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/imreuse/imreuse/backends/nimhttp/provision"
)

const provisionDoc = `Secrets are never flags, which every process on a machine can read. They come
from the environment:

   IMREUSE_APP_SECRET   the AppSecret of the app; always needed
   IMREUSE_IM_TOKEN     the token of the IM account
   IMREUSE_USER_TOKEN   the token of the kit account; the server makes one where it is not set

or, with -secrets FILE, from a JSON file; what it has comes before the environment:

   {"appSecret": "…", "imToken": "…", "userToken": "…"}

The tokens of the account that was made are printed on stdout, and nowhere
else. -dry-run prints the request, its secrets masked, and sends nothing.`

// provisionFlags are those of every command under provision.
func provisionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "appkey", Usage: "the `APPKEY` of the app", Required: true},
		&cli.StringFlag{Name: "accid", Usage: "the `ACCID` of the IM account; without it the server makes one"},
		&cli.StringFlag{Name: "user-uuid", Usage: "the `USERUUID` of the kit account; without it, the accid"},
		&cli.StringFlag{Name: "name", Usage: "the `NAME` to show"},
		&cli.StringFlag{Name: "secrets", Usage: "read the secrets from this JSON `FILE`"},
		&cli.StringFlag{Name: "im-url", Usage: "the `URL` of the IM server API; without it, the vendor's"},
		&cli.StringFlag{Name: "kit-url", Usage: "the `URL` of the NERoom server API; without it, the vendor's"},
		&cli.StringFlag{Name: "meeting-url", Usage: "the `URL` of the meeting server API; without it, the vendor's"},
		&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		&cli.BoolFlag{Name: "dry-run", Usage: "print the request, and send nothing"},
	}
}

// A provisioned account is what was made, to be printed.
type provisioned struct {
	Accid     string `json:"accid,omitempty"`
	Token     string `json:"token,omitempty"`
	UserUUID  string `json:"userUuid,omitempty"`
	UserToken string `json:"userToken,omitempty"`
}

type provisionCall func(context.Context, *provision.Client, provision.AccountRequest) (provisioned, error)

func provisionCommand() *cli.Command {
	command := func(name, usage string, call provisionCall) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, Description: provisionDoc, Flags: provisionFlags(),
			Action: func(ctx context.Context, c *cli.Command) error {
				if c.Args().Present() {
					return fmt.Errorf("%s takes no arguments, only flags; see imreuse provision %s -h", name, name)
				}
				return runProvision(ctx, c, call)
			},
		}
	}
	return &cli.Command{
		Name:        "provision",
		Usage:       "create accounts through the server API: IM accounts, and kit accounts bound to them",
		Description: provisionDoc,
		Commands: []*cli.Command{
			command("im-account", "create an IM account", createIM),
			command("room-account", "create an account of NERoom, bound to an IM account", createRoom),
			command("meeting-account", "create an account of NEMeeting, bound to an IM account", createMeeting),
			command("update", "tell the kit server of a new IM token, kit token or name", update),
		},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return fmt.Errorf("there is no command %q; see imreuse provision -h", c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

func createIM(ctx context.Context, c *provision.Client, r provision.AccountRequest) (provisioned, error) {
	a, err := c.CreateIMAccount(ctx, r)
	return provisioned{Accid: a.Accid, Token: a.Token}, err
}

func createRoom(ctx context.Context, c *provision.Client, r provision.AccountRequest) (provisioned, error) {
	a, err := c.CreateRoomAccount(ctx, r)
	return provisioned{UserUUID: a.UserUUID, UserToken: a.Token}, err
}

func createMeeting(ctx context.Context, c *provision.Client, r provision.AccountRequest) (provisioned, error) {
	a, err := c.CreateMeetingAccount(ctx, r)
	return provisioned{UserUUID: a.UserUUID, UserToken: a.Token}, err
}

func update(ctx context.Context, c *provision.Client, r provision.AccountRequest) (provisioned, error) {
	return provisioned{}, c.UpdateAccount(ctx, r)
}

func runProvision(ctx context.Context, c *cli.Command, call provisionCall) error {
	secrets, err := readSecrets(c.String("secrets"))
	if err != nil {
		return err
	}
	o := provision.Options{
		AppKey:     c.String("appkey"),
		AppSecret:  secrets.AppSecret,
		IMURL:      c.String("im-url"),
		KitURL:     c.String("kit-url"),
		MeetingURL: c.String("meeting-url"),
	}
	out := c.Root().Writer
	var dry *dryRun
	if c.Bool("dry-run") {
		ctx, dry = newDryRun(ctx, out, secrets)
		o.HTTPClient = &http.Client{Transport: dry}
	}
	client, err := provision.New(o)
	if err != nil {
		return err
	}
	made, err := call(ctx, client, provision.AccountRequest{
		Accid: c.String("accid"), IMToken: secrets.IMToken, UserUUID: c.String("user-uuid"), UserToken: secrets.UserToken, Name: c.String("name"),
	})
	if dry != nil && dry.shown {
		return dry.err
	}
	if err != nil {
		return err
	}
	return printProvisioned(out, made, c.Bool("json"))
}

func printProvisioned(out io.Writer, p provisioned, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(p)
	}
	var lines []string
	for _, f := range []struct{ name, value string }{
		{"accid", p.Accid}, {"token", p.Token}, {"userUuid", p.UserUUID}, {"userToken", p.UserToken},
	} {
		if f.value != "" {
			lines = append(lines, f.name+": "+f.value)
		}
	}
	if lines == nil {
		lines = []string{"done"}
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}

type secrets struct {
	AppSecret string `json:"appSecret"`
	IMToken   string `json:"imToken"`
	UserToken string `json:"userToken"`
}

// readSecrets reads the file, if there is one, and the environment for what it
// has not. No error has what is in it.
func readSecrets(file string) (secrets, error) {
	var s secrets
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return s, fmt.Errorf("-secrets: %w", err)
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&s); err != nil || decoder.More() {
			return s, fmt.Errorf(`-secrets: %s is not a JSON object with the texts "appSecret", "imToken" and "userToken", each of which may be left out`, file)
		}
	}
	for _, f := range []struct {
		value *string
		name  string
	}{
		{&s.AppSecret, "IMREUSE_APP_SECRET"}, {&s.IMToken, "IMREUSE_IM_TOKEN"}, {&s.UserToken, "IMREUSE_USER_TOKEN"},
	} {
		if *f.value == "" {
			*f.value = os.Getenv(f.name)
		}
	}
	if s.AppSecret == "" {
		return s, errors.New("the AppSecret is missing: set IMREUSE_APP_SECRET, or appSecret in a -secrets file")
	}
	return s, nil
}

// A dryRun is an http.RoundTripper that prints the first request and ends the
// call, so that nothing is sent.
type dryRun struct {
	out     io.Writer
	secrets secrets
	end     context.CancelFunc
	shown   bool
	err     error
}

func newDryRun(ctx context.Context, out io.Writer, s secrets) (context.Context, *dryRun) {
	ctx, end := context.WithCancel(ctx)
	return ctx, &dryRun{out: out, secrets: s, end: end}
}

func (d *dryRun) RoundTrip(r *http.Request) (*http.Response, error) {
	d.end()
	if !d.shown {
		d.shown = true
		d.err = d.show(r)
	}
	return nil, context.Canceled
}

func (d *dryRun) show(r *http.Request) error {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return err
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		value := r.Header.Get(name)
		if strings.EqualFold(name, "CheckSum") {
			value = "***"
		}
		fmt.Fprintf(&b, "%s: %s\n", name, value)
	}
	fmt.Fprintf(&b, "\n%s\n", d.mask(body))
	_, err := io.WriteString(d.out, b.String())
	return err
}

// mask hides the tokens of a JSON body. They are whole values of it, so they
// are found as JSON has them.
func (d *dryRun) mask(body []byte) []byte {
	for _, secret := range []string{d.secrets.IMToken, d.secrets.UserToken, d.secrets.AppSecret} {
		if secret == "" {
			continue
		}
		quoted, err := json.Marshal(secret)
		if err != nil {
			continue
		}
		body = bytes.ReplaceAll(body, quoted, []byte(`"***"`))
	}
	return body
}
