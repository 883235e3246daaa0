// Bot keeps one kit account logged in for weeks: a program to copy from.
//
// Engine.KeepKit does the work. It logs the kit in, and again after a loss that
// passes: the gateway was started again, the kit server is away, the token ran
// out. It returns any other error, such as a kick. Then the bot ends with status
// 1, and the last line of its log says why and what to do.
//
// The engine asks readToken for the kit token before each login, so the token may
// change while the bot runs. A token that has run out is noticed at the next
// login. A bot that sends the kit server requests of its own calls
// nimhttp.Kit.CheckToken when one is refused.
//
// SIGTERM and SIGINT log the bot out; if that works, the status is 0. A second
// signal ends the bot at once.
//
// The settings come from the environment. The log is JSON on stderr, and never
// has a token in it.
//
//	IMREUSE_APP_KEY          of the app
//	IMREUSE_USER_UUID        the kit account
//	IMREUSE_USER_TOKEN_FILE  the file with its token
//	IMREUSE_GATEWAY_URL      the IM gateway: see "imreuse gateway -h"
//	IMREUSE_GATEWAY_SECRET   its secret
//	IMREUSE_DEVICE_ID        optional: an id to keep for this installation
//	IMREUSE_KIT_URL          optional: a kit server other than the vendor's
//	IMREUSE_LBS_URL          optional: the address service of another IM cloud;
//	                         with IMREUSE_LINK_ADDR
//	IMREUSE_LINK_ADDR        its link server, as HOST:PORT
//	IMREUSE_LINK_PLAIN       1: the link server has no TLS; on loopback only
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

var log = slog.New(slog.NewJSONHandler(os.Stderr, nil))

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	env := os.Getenv
	backend, err := nimhttp.New(nimhttp.Options{
		AppKey: env("IMREUSE_APP_KEY"), KitURL: env("IMREUSE_KIT_URL"), DeviceID: env("IMREUSE_DEVICE_ID"),
		GatewayURL: env("IMREUSE_GATEWAY_URL"), GatewaySecret: env("IMREUSE_GATEWAY_SECRET"),
		LBSURL: env("IMREUSE_LBS_URL"), LinkAddr: env("IMREUSE_LINK_ADDR"), LinkPlain: env("IMREUSE_LINK_PLAIN") == "1",
	})
	exitOn(err)
	e, err := engine.New(backend, env("IMREUSE_APP_KEY"), &engine.Options{Mode: engine.AutoLogin, KitToken: readToken, Logger: log})
	exitOn(err)
	err = e.KeepKit(ctx, engine.KitAccount{UserUUID: env("IMREUSE_USER_UUID")})
	if ctx.Err() != nil { // a signal, which leaves the kit logged in
		err = e.LogoutKit(context.Background())
	}
	exitOn(errors.Join(err, e.Close()))
}

// readToken is the engine's source of kit tokens. If the file cannot be read,
// KeepKit tries again later. An empty token is a bad argument, which ends the bot:
// write a new token to another file, and rename that.
func readToken(context.Context, string, string) (string, error) {
	token, err := os.ReadFile(os.Getenv("IMREUSE_USER_TOKEN_FILE"))
	return strings.TrimSpace(string(token)), err
}

func exitOn(err error) {
	if err != nil {
		log.Error("the bot ends", "error", err, "remedy", engine.CodeOf(err).Remedy())
		os.Exit(1)
	}
}
