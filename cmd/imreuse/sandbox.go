package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v3"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

const sandboxDoc = `The kit server answers kit login, anonymous login and token checks as the
vendor's does, to any client in any language, browsers among them. The server
API makes and shows accounts, which the kit server then knows: of IM (v2),
NERoom and meetings. The IM cloud, an address service and a link server, lets the
vendor's own JavaScript SDK (10.x) log in with the same accounts; it is no NIM
server and carries no messages. The first line of its output is JSON with the
address of each:

   {"kit":"http://127.0.0.1:40000","api":"http://127.0.0.1:40000",
    "gateway":"http://127.0.0.1:40001","gatewaySecret":"0f8f…",
    "lbs":"http://127.0.0.1:40002/lbs","link":"127.0.0.1:40002"}

which is one line there. The gateway serves what imreuse gateway does, without
Node: its IM is the accounts alone, whatever servers a client names to it. An SDK
takes the last two as lbsUrls and linkUrl, with linkSSL false.

Others cannot reach them: they listen on loopback only. It runs until it is
interrupted. Without -accounts it has those of the vendor's guides:

   {"appKey": "` + nimhttptest.AppKey + `", "appSecret": "` + nimhttptest.AppSecret + `",
    "im":  [{"accid": "` + nimhttptest.Accid + `", "token": "` + nimhttptest.IMToken + `"}],
    "kit": [{"userUuid": "` + nimhttptest.UserUUID + `", "userToken": "` + nimhttptest.UserToken + `", "accid": "` + nimhttptest.Accid + `"}]}

That is what the file looks like, too. appSecret may be left out: then the
server API refuses every call. The vendor's web kit wants the userUuid of a kit
account to be the accid that it is bound to.`

func sandboxCommand() *cli.Command {
	return &cli.Command{
		Name:        "sandbox",
		Usage:       "serve the vendor's kit server, server API and IM cloud on this machine, to develop against offline",
		Description: sandboxDoc,
		Flags: []cli.Flag{
			addrFlag(),
			&cli.StringFlag{Name: "accounts", Usage: "read the accounts from this JSON `FILE`"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return fmt.Errorf("sandbox takes no arguments, only -addr and -accounts")
			}
			var options nimhttptest.Options
			if c.IsSet("accounts") {
				var err error
				if options, err = readAccounts(c.String("accounts")); err != nil {
					return err
				}
			}
			options.Addr = c.String("addr")
			return serveSandbox(ctx, c.Root().Writer, options)
		},
	}
}

// serveSandbox serves until ctx ends.
func serveSandbox(ctx context.Context, out io.Writer, o nimhttptest.Options) error {
	server, err := nimhttptest.Start(o)
	if err != nil {
		return err
	}
	defer server.Close()
	cloud, err := nimcloud.Start(nimcloud.Options{World: server.World()})
	if err != nil {
		return err
	}
	defer cloud.Close()
	first := struct {
		Kit           string `json:"kit"`
		API           string `json:"api"`
		Gateway       string `json:"gateway"`
		GatewaySecret string `json:"gatewaySecret"`
		LBS           string `json:"lbs"`
		Link          string `json:"link"`
	}{server.KitURL(), server.APIURL(), server.GatewayURL(), server.GatewaySecret(), cloud.LBSURL(), cloud.LinkAddr()}
	if err := json.NewEncoder(out).Encode(first); err != nil {
		return err
	}
	<-ctx.Done()
	return errors.Join(cloud.Close(), server.Close())
}
