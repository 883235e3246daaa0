package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/imreuse/imreuse/backends/nimhttp/provision"
)

const provisionDoc = `Secrets come from the environment and never from flags, because every process on
the machine can read flags.

   IMREUSE_APP_SECRET   the AppSecret of the app; always needed
   IMREUSE_IM_TOKEN     the token of the IM account
   IMREUSE_USER_TOKEN   the token of the kit account

If a new account gets no token from you, the server makes one. It always makes the
kit token of a meeting account. update keeps whatever you do not give.

With -secrets FILE the secrets come from a JSON file, and from the environment only
if the file does not have them:

   {"appSecret": "…", "imToken": "…", "userToken": "…"}

The tokens of the new account are printed on stdout and nowhere else. -dry-run
sends nothing, and prints the request with its secrets masked.`

// provisionFlags returns the flags of one provision command: the common ones, and
// the ones named in own.
func provisionFlags(own ...string) []cli.Flag {
	flags := []cli.Flag{&cli.StringFlag{Name: "appkey", Usage: "the `APPKEY` of the app", Required: true}}
	for _, f := range []struct{ name, usage string }{
		{"accid", "the `ACCID` of the IM account"},
		{"user-uuid", "the `USERUUID` of the kit account; default: the accid"},
		{"name", "the `NAME` to show"},
		{"im-url", "the `URL` of the IM server API; default: the vendor's"},
		{"kit-url", "the `URL` of the NERoom server API; default: the vendor's"},
		{"meeting-url", "the `URL` of the meeting server API; default: -kit-url, or else the vendor's"},
	} {
		if slices.Contains(own, f.name) {
			flags = append(flags, &cli.StringFlag{Name: f.name, Usage: f.usage})
		}
	}
	return append(flags,
		&cli.StringFlag{Name: "secrets", Usage: "read the secrets from this JSON `FILE`"},
		&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		&cli.BoolFlag{Name: "dry-run", Usage: "print the request instead of sending it"},
	)
}

// provisioned is the account to print.
type provisioned struct {
	Accid     string `json:"accid,omitempty"`
	Token     string `json:"token,omitempty"`
	UserUUID  string `json:"userUuid,omitempty"`
	UserToken string `json:"userToken,omitempty"`
	Updated   bool   `json:"updated,omitempty"` // it existed before
}

type provisionCall func(context.Context, *provision.Client, provision.AccountRequest) (provisioned, error)

func provisionCommand() *cli.Command {
	command := func(name, usage string, call provisionCall, flags ...string) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, Description: provisionDoc, Flags: provisionFlags(flags...),
			Action: func(ctx context.Context, c *cli.Command) error { return runProvision(ctx, c, call) },
		}
	}
	return &cli.Command{
		Name:        "provision",
		Usage:       "create accounts through the server API: IM accounts, and kit accounts bound to them",
		Description: provisionDoc,
		Commands: []*cli.Command{
			command("im-account", "create an IM account; without -accid, the server chooses one", createIM, "accid", "name", "im-url"),
			command("room-account", "create an NERoom account, bound to an IM account", createRoom, "accid", "user-uuid", "name", "kit-url"),
			command("meeting-account", "create an NEMeeting account, bound to an IM account", createMeeting, "accid", "user-uuid", "name", "kit-url", "meeting-url"),
			command("update", "give the kit server a new IM token, kit token or name for an account", update, "accid", "user-uuid", "name", "kit-url"),
			dynamicTokenCommand(),
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
	return provisioned{UserUUID: cmp.Or(r.UserUUID, r.Accid), Updated: true}, c.UpdateAccount(ctx, r)
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
		ctx, dry = newDryRun(ctx, out, secrets, c.Bool("json"))
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
	if p.Updated {
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

// readSecrets reads the secrets from the file, if one is given, and the missing
// ones from the environment. No error quotes the file.
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
			return s, fmt.Errorf(`-secrets: %s must be a JSON object with the strings "appSecret", "imToken" and "userToken"; each of them is optional`, file)
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
