package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

const doctorDoc = `The doctor checks, in order, everything that a kit login and an IM login depend
on. For each check it prints one line: the result, and the remedy if the check
failed. It changes nothing, unless you ask for a login: -login-im logs IM in and
out again, which kicks the account's other devices if the app allows only one.

Secrets come from the environment, never from flags, and are never printed:

   IMREUSE_USER_TOKEN      the token of the kit account in -user
   IMREUSE_GATEWAY_SECRET  the secret of the gateway in -gateway

Without -gateway, the doctor starts the installed gateway and stops it at the
end. Without -user, it asks the kit server to log in an account that does not
exist, and expects a refusal. The exit status is 1 if a check fails.`

// checkLimit bounds each check.
const checkLimit = 20 * time.Second

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:        "doctor",
		Usage:       "check whether a real account can log in, and if not, why",
		Description: doctorDoc,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "appkey", Usage: "the `APPKEY` of the app", Required: true},
			&cli.StringFlag{Name: "kit", Usage: "the `URL` of the kit server; default: the vendor's"},
			&cli.StringFlag{Name: "gateway", Usage: "the `URL` of a running IM gateway; default: start the installed one"},
			&cli.StringFlag{Name: "user", Usage: "log in the kit account with this `USERUUID`"},
			&cli.StringFlag{Name: "lbs", Usage: "the `URL` of the IM address service of a private deployment; with -link"},
			&cli.StringFlag{Name: "link", Usage: "the `HOST:PORT` of its link server; with -lbs"},
			&cli.BoolFlag{Name: "link-plain", Usage: "the link server has no TLS; allowed on loopback only"},
			&cli.BoolFlag{Name: "plain-http", Usage: "allow http to a kit server that is not on loopback"},
			&cli.BoolFlag{Name: "login-im", Usage: "log the bound IM account in, and out again"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON document"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			d := newDoctor(nimhttp.Options{
				AppKey:        c.String("appkey"),
				KitURL:        cmp.Or(c.String("kit"), vendorKitURL),
				GatewayURL:    c.String("gateway"),
				GatewaySecret: os.Getenv(secretVariable),
				LBSURL:        c.String("lbs"),
				LinkAddr:      c.String("link"),
				LinkPlain:     c.Bool("link-plain"),
				PlainHTTP:     c.Bool("plain-http"),
			}, engine.KitAccount{UserUUID: c.String("user"), Token: os.Getenv("IMREUSE_USER_TOKEN")})
			d.loginIM = c.Bool("login-im")
			if err := d.checkFlags(); err != nil {
				return err
			}
			defer d.close()
			return d.examine(ctx, newReporter(c.Root().Writer, c.Bool("json")))
		},
	}
}

// A doctor runs the checks one after the other, and keeps the results that later
// checks need.
type doctor struct {
	options nimhttp.Options
	account engine.KitAccount // empty: none was given
	loginIM bool
	limit   time.Duration // of each check
	direct  *http.Client  // connects as the SDK does, without a proxy
	proxied *http.Client  // connects as nimhttp does to the kit server
	secrets []string      // masked in the output

	stopGateway func()           // stops the gateway that the doctor started; nil: none
	links       []string         // link servers that the address service named
	skew        *skew            // from a server's Date; nil: not known
	bound       engine.IMAccount // bound to the account
	refused     error            // why the kit server refused the account; nil: it did not
}

func newDoctor(o nimhttp.Options, a engine.KitAccount) *doctor {
	return &doctor{
		options: o,
		account: a,
		limit:   checkLimit,
		direct:  checkClient(nil),
		proxied: checkClient(http.ProxyFromEnvironment),
		secrets: []string{a.Token, o.GatewaySecret},
	}
}

// flagNames replaces the names of nimhttp's options by the flags and variables
// that set them.
var flagNames = strings.NewReplacer("AppKey", "-appkey", "KitURL", "-kit", "GatewayURL", "-gateway", "GatewaySecret", secretVariable,
	"LBSURL", "-lbs", "LinkAddr", "-link", "LinkPlain", "-link-plain", "PlainHTTP", "-plain-http")

// checkFlags refuses flags that nimhttp would refuse. The gateway's secret is not
// a flag, so checkGateway checks it.
func (d *doctor) checkFlags() error {
	o := d.options
	o.GatewayURL = cmp.Or(o.GatewayURL, "http://127.0.0.1:1")
	o.GatewaySecret = "a placeholder secret"
	backend, err := nimhttp.New(o)
	if err != nil {
		return &usageError{errors.New(flagNames.Replace(err.Error()))}
	}
	return backend.Close() // nothing was sent
}

func checkClient(proxy func(*http.Request) (*url.URL, error)) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  proxy,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (d *doctor) close() {
	d.direct.CloseIdleConnections()
	d.proxied.CloseIdleConnections()
	if d.stopGateway != nil {
		d.stopGateway()
	}
}

// A check is one step of the examination. run returns its result as text, or an
// error: a *failure has its own remedy, and a *skip means that there was nothing
// to check.
type check struct {
	name  string
	needs []string // earlier checks that must have passed
	run   func(*doctor, context.Context) (found string, err error)
}

// checks are in the order in which a login depends on them: IM first, then the
// kit on top of it.
var checks = []check{
	{"node", nil, (*doctor).checkNode},
	{"sdk", nil, (*doctor).checkSDK},
	{"gateway", []string{"node", "sdk"}, (*doctor).checkGateway},
	{"lbs", nil, (*doctor).checkLBS},
	{"link", nil, (*doctor).checkLink},
	{"clock", nil, (*doctor).checkClock},
	{"kit", nil, (*doctor).checkKit},
	{"account", []string{"kit"}, (*doctor).checkAccount},
	{"im-login", []string{"gateway", "link", "account"}, (*doctor).checkIMLogin},
}

type failure struct {
	error
	remedy string
}

func (f *failure) Unwrap() error { return f.error }

type skip struct {
	reason   string
	harmless bool // later checks can run without it
}

func (s *skip) Error() string { return s.reason }

// examine runs every check. It fails if a check fails or ctx ends.
func (d *doctor) examine(ctx context.Context, r *reporter) error {
	missing := map[string]bool{}
	for _, c := range checks {
		f := d.examineOne(ctx, c, missing)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		missing[c.name] = f.blocks
		if err := r.add(d.masked(f)); err != nil {
			return err
		}
	}
	return r.finish(mask(d.bound.Accid, d.secrets))
}

func (d *doctor) examineOne(ctx context.Context, c check, missing map[string]bool) finding {
	for _, need := range c.needs {
		if missing[need] {
			return finding{Name: c.name, Status: statusSkipped, Detail: "the check " + need + " did not pass", blocks: true}
		}
	}
	bounded, cancel := context.WithTimeoutCause(ctx, d.limit, fmt.Errorf("%w: no answer within %v", engine.ErrUnavailable, d.limit))
	defer cancel()
	found, err := c.run(d, bounded)
	f := newFinding(c.name, found, err)
	if f.Status == statusFailed && bounded.Err() != nil {
		f.Detail = context.Cause(bounded).Error()
	}
	return f
}

func newFinding(name, found string, err error) finding {
	var skipped *skip
	var failed *failure
	switch {
	case err == nil:
		return finding{Name: name, Status: statusOK, Detail: found}
	case errors.As(err, &skipped):
		return finding{Name: name, Status: statusSkipped, Detail: skipped.reason, blocks: !skipped.harmless}
	case errors.As(err, &failed):
		return finding{Name: name, Status: statusFailed, Detail: err.Error(), Remedy: failed.remedy, blocks: true}
	}
	return finding{Name: name, Status: statusFailed, Detail: err.Error(), Remedy: engine.CodeOf(err).Remedy(), blocks: true}
}

// masked returns f with every secret that the doctor knows replaced.
func (d *doctor) masked(f finding) finding {
	f.Detail, f.Remedy = oneLine(mask(f.Detail, d.secrets)), oneLine(mask(f.Remedy, d.secrets))
	return f
}
