package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/internal/accounts"
)

const dynamicTokenDoc = `The token is signed here, and no server is called. It logs the account in to IM,
or with loginByIM in to a kit, until -ttl has passed. In production your app
server makes it, for example with the function DynamicToken of the Go package
provision. The vendor's console must allow dynamic tokens.

The AppSecret comes from the environment or a file, and never from a flag,
because every process on the machine can read flags:

   IMREUSE_APP_SECRET   the AppSecret of the app; always needed

With -secrets FILE it comes from a JSON file: {"appSecret": "…"}`

func dynamicTokenCommand() *cli.Command {
	return &cli.Command{
		Name:        "dynamic-token",
		Usage:       "sign a short-lived token for an IM account, and print it",
		Description: dynamicTokenDoc,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "appkey", Usage: "the `APPKEY` of the app", Required: true},
			&cli.StringFlag{Name: "accid", Usage: "the `ACCID` of the IM account, spelled as in the login", Required: true},
			&cli.DurationFlag{Name: "ttl", Value: 10 * time.Minute, Usage: "the `DURATION` for which the token is good, such as 90s; cut to whole seconds"},
			&cli.StringFlag{Name: "secrets", Usage: "read the AppSecret from this JSON `FILE`"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: func(_ context.Context, c *cli.Command) error { return printDynamicToken(c) },
	}
}

func printDynamicToken(c *cli.Command) error {
	appKey, accid, ttl := c.String("appkey"), c.String("accid"), c.Duration("ttl")
	if err := accounts.CheckText("-appkey", appKey); err != nil {
		return badUsage(c, err.Error(), "")
	}
	if err := accounts.CheckID("-accid", accid); err != nil {
		return badUsage(c, err.Error(), "")
	}
	if ttl < time.Second {
		return badUsage(c, fmt.Sprintf("-ttl is %v, and a token lives for a second at least", ttl), "")
	}
	secrets, err := readSecrets(c.String("secrets"))
	if err != nil {
		return err
	}
	token := provision.DynamicToken(appKey, secrets.AppSecret, accid, time.Now(), ttl)
	out := c.Root().Writer
	if c.Bool("json") {
		return json.NewEncoder(out).Encode(provisioned{Accid: accid, Token: token})
	}
	_, err = fmt.Fprintln(out, token)
	return err
}
