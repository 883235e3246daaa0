package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/engine"
)

// This file has the checks of IM: the gateway, the address service, the link and
// a login.

// maxLinks is how many of the address service's link servers are tried.
const maxLinks = 4

const runInstall = "Run: imreuse gateway install"

// skipIfRunning returns a *skip if -gateway names a gateway: then Node and the
// SDK of this machine do not matter.
func (d *doctor) skipIfRunning() error {
	if d.options.GatewayURL == "" {
		return nil
	}
	return &skip{"-gateway names a gateway that is running", true}
}

func (d *doctor) checkNode(ctx context.Context) (string, error) {
	if err := d.skipIfRunning(); err != nil {
		return "", err
	}
	if err := gateway.CheckNode(ctx, "node"); err != nil {
		return "", &failure{err, "Install a newer Node and put it on PATH"}
	}
	version, err := exec.CommandContext(ctx, "node", "--version").Output()
	return "Node " + strings.TrimSpace(string(version)), err
}

func (d *doctor) checkSDK(context.Context) (string, error) {
	if err := d.skipIfRunning(); err != nil {
		return "", err
	}
	if os.Getenv("NIM_SDK") != "" {
		return "the gateway uses the SDK in NIM_SDK", nil
	}
	dir, err := gateway.Dir()
	if err != nil {
		return "", err
	}
	if err := gateway.Check(dir); err != nil {
		return "", &failure{err, runInstall}
	}
	version, err := installedSDK(dir)
	if err != nil || version != gateway.SDKVersion() {
		return "", &failure{fmt.Errorf("the SDK in %s has version %q, but the gateway needs %q", dir, version, gateway.SDKVersion()), "Remove that folder. " + runInstall}
	}
	return "the vendor's IM SDK " + version + " is installed", nil
}

func installedSDK(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "node_modules", "nim-web-sdk-ng", "package.json"))
	if err != nil {
		return "", err
	}
	var npm struct{ Version string }
	err = json.Unmarshal(data, &npm)
	return npm.Version, err
}

// checkGateway starts the installed gateway unless -gateway names one, and reads
// a slot that nobody uses. That shows that the gateway answers and accepts the
// secret, and changes nothing.
func (d *doctor) checkGateway(ctx context.Context) (string, error) {
	if d.options.GatewayURL == "" {
		if err := d.startGateway(ctx); err != nil {
			return "", &failure{err, "Run imreuse gateway to see why it does not start"}
		}
	}
	err := d.askGateway(ctx)
	switch text := flagNames.Replace(fmt.Sprint(err)); {
	case err == nil:
		return d.options.GatewayURL + " answers and accepts the secret; its SDK is " + d.gatewaySDK(ctx), nil
	case errors.Is(err, engine.ErrArgument):
		return "", &failure{errors.New(text), "Set IMREUSE_GATEWAY_SECRET to the secret that the gateway was started with, or that it printed"}
	default:
		return "", &failure{errors.New(text), "Start a gateway with: imreuse gateway. If one is running, check -gateway and IMREUSE_GATEWAY_SECRET"}
	}
}

func (d *doctor) askGateway(ctx context.Context) error {
	im, err := nimhttp.NewIM(d.options)
	if err != nil {
		return err
	}
	defer im.Close()
	_, err = im.AdoptIM(ctx, engine.Notify{})
	return err
}

// gatewaySDK returns the SDK version that the gateway reports, or "unknown".
func (d *doctor) gatewaySDK(ctx context.Context) string {
	_, body, err := get(ctx, d.direct, strings.TrimRight(d.options.GatewayURL, "/")+"/healthz")
	var health struct{ SDK string }
	if err != nil || json.Unmarshal(body, &health) != nil {
		return "unknown"
	}
	return cmp.Or(health.SDK, "unknown")
}

// startGateway starts a gateway that runs until the doctor is closed. ctx bounds
// only the start.
func (d *doctor) startGateway(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	release := context.AfterFunc(ctx, end)
	defer release()
	g, err := nimhttp.StartGateway(life, nimhttp.GatewayOptions{})
	if err != nil {
		end()
		return err
	}
	d.stopGateway = func() {
		_ = g.Close()
		end()
	}
	d.options.GatewayURL, d.options.GatewaySecret = g.URL(), g.Secret()
	d.secrets = append(d.secrets, g.Secret())
	return nil
}

// vendorLBS are the address services that the vendor's SDK asks for a link
// server.
var vendorLBS = []string{"https://lbs.netease.im/lbs/webconf.jsp", "https://lbs-sdk.netease.im/lbs/webconf.jsp"}

// checkLBS asks the address service for link servers, as the SDK does before
// each login.
func (d *doctor) checkLBS(ctx context.Context) (string, error) {
	services := vendorLBS
	if d.options.LBSURL != "" {
		services = []string{d.options.LBSURL}
	}
	var errs []error
	for _, service := range services {
		links, err := d.askLBS(ctx, service, d.limit/time.Duration(len(services)))
		if err == nil {
			d.links = links
			return service + " names the link servers " + strings.Join(links, ", "), nil
		}
		errs = append(errs, err)
	}
	return "", &failure{errors.Join(errs...), "Check -lbs, and that this machine can reach it without a proxy"}
}

func (d *doctor) askLBS(ctx context.Context, service string, limit time.Duration) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	query := url.Values{"k": {d.options.AppKey}, "id": {""}, "sv": {"180"}, "pv": {"1"}, "networkType": {"0"}, "lv": {"1"}}
	res, body, err := get(ctx, d.direct, service+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	d.noteTime(res)
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered HTTP %d", service, res.StatusCode)
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		return nil, fmt.Errorf("%s did not answer with the content type application/json, which the SDK requires", service)
	}
	var answer struct {
		Common struct {
			Mix      []string `json:"mix.link"`
			Standard []string `json:"link.default"`
		} `json:"common"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil, fmt.Errorf("%s did not answer like an address service", service)
	}
	var links []string
	for _, link := range append(answer.Common.Mix, answer.Common.Standard...) {
		if _, _, err := net.SplitHostPort(link); err == nil && !slices.Contains(links, link) {
			links = append(links, link)
		}
	}
	if len(links) == 0 {
		return nil, fmt.Errorf("%s names no link server", service)
	}
	return links[:min(len(links), maxLinks)], nil
}

// checkLink opens a link as the SDK does, and closes it without logging in.
func (d *doctor) checkLink(ctx context.Context) (string, error) {
	links := d.links
	if own := d.options.LinkAddr; own != "" && !slices.Contains(links, own) {
		links = append(slices.Clone(links), own)
	}
	if len(links) == 0 {
		return "", &skip{reason: "the check lbs found no link server"}
	}
	var errs []error
	for _, link := range links {
		address := "wss://" + link + "/websocket"
		if d.options.LinkPlain {
			address = "ws://" + link + "/websocket"
		}
		err := d.openLink(ctx, address, d.limit/time.Duration(len(links)))
		if err == nil {
			return address + " opens", nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", address, err))
	}
	return "", &failure{errors.Join(errs...), "Check -link and -link-plain, and that this machine can reach the link server without a proxy"}
}

func (d *doctor) openLink(ctx context.Context, address string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{HTTPClient: d.direct})
	if err != nil {
		return err
	}
	return ws.CloseNow()
}

// checkIMLogin logs the bound account in through the gateway and out again.
func (d *doctor) checkIMLogin(ctx context.Context) (string, error) {
	if !d.loginIM {
		return "", &skip{"-login-im was not given", true}
	}
	im, err := nimhttp.NewIM(d.options)
	if err != nil {
		return "", err
	}
	defer im.Close()
	if err := im.InitIM(ctx, cmp.Or(d.bound.AppKey, d.options.AppKey)); err != nil {
		return "", err
	}
	watched := engine.Notify{Lost: func(error) {}, Link: func(bool) {}}
	if err := im.LoginIM(ctx, d.bound, watched); err != nil {
		return "", err
	}
	if err := im.LogoutIM(ctx); err != nil {
		return "", fmt.Errorf("the login succeeded, but the logout failed: %w", err)
	}
	return fmt.Sprintf("%q was logged in and out again", d.bound.Accid), nil
}
