package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// This file has the checks of the kit server and the clock.

const (
	vendorKitURL = "https://roomkit.netease.im"
	maxSkew      = 5 * time.Minute // docs/vendor/http.md#signing
	maxReply     = 1 << 20         // bytes
)

// get fetches a URL and returns at most maxReply bytes of the body.
func get(ctx context.Context, client *http.Client, address string) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	res, err := client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxReply))
	return res, body, err
}

// A skew is how far this machine's clock is ahead of a server's.
type skew struct {
	server string
	ahead  time.Duration
}

// noteTime compares this machine's clock with the Date of a reply.
func (d *doctor) noteTime(res *http.Response) {
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		d.skew = &skew{res.Request.URL.Host, time.Since(date)}
	}
}

// checkClock compares this machine's clock with the kit server's, or with the
// address service's if the kit server sends no Date.
func (d *doctor) checkClock(ctx context.Context) (string, error) {
	if res, _, err := get(ctx, d.proxied, d.options.KitURL); err == nil {
		d.noteTime(res)
	}
	if d.skew == nil {
		return "", &skip{"no server sent a Date", true}
	}
	ahead := d.skew.ahead.Round(time.Second)
	if ahead.Abs() > maxSkew {
		return "", &failure{
			fmt.Errorf("this machine's clock and the one of %s differ by %v; the servers refuse more than %v", d.skew.server, ahead.Abs(), maxSkew),
			"Set the clock, preferably by NTP",
		}
	}
	return fmt.Sprintf("it agrees with %s to within %v", d.skew.server, max(ahead.Abs(), time.Second)), nil
}

// authenticate logs a kit account in to the kit server.
func (d *doctor) authenticate(ctx context.Context, a engine.KitAccount) (engine.IMAccount, error) {
	kit, err := nimhttp.NewKit(d.options)
	if err != nil {
		return engine.IMAccount{}, err
	}
	defer kit.Close()
	return kit.Authenticate(ctx, a)
}

// checkKit logs in the account that was given, or else one that does not exist,
// and passes if the reply is a kit server's, be it a refusal. Whether the
// account was accepted is for checkAccount to report.
func (d *doctor) checkKit(ctx context.Context) (string, error) {
	if d.hasAccount() {
		d.bound, d.refused = d.authenticate(ctx, d.account)
		d.secrets = append(d.secrets, d.bound.Token)
		if d.refused == nil || answerCode(d.refused) != 0 && !errors.Is(d.refused, engine.ErrUnavailable) {
			return d.options.KitURL + " answers like a kit server", nil
		}
		if !errors.Is(d.refused, engine.ErrArgument) { // with ErrArgument nothing was sent
			return "", kitFailure(d.refused)
		}
	}
	_, err := d.authenticate(ctx, engine.KitAccount{UserUUID: "imreuse-doctor", Token: uuid.NewString()})
	if err == nil {
		return "", kitFailure(fmt.Errorf("%s logged in an account that does not exist", d.options.KitURL))
	}
	code := answerCode(err)
	if code != 0 && (errors.Is(err, engine.ErrTokenRejected) || errors.Is(err, engine.ErrNoIMAccount)) {
		return fmt.Sprintf("%s answers like a kit server, and refuses an account that does not exist (code %d)", d.options.KitURL, code), nil
	}
	return "", kitFailure(err)
}

// answerCode returns the code in the kit server's reply, or 0 if err has no such
// reply.
func answerCode(err error) int {
	var answer *nimhttp.ServerError
	if errors.As(err, &answer) {
		return answer.Code
	}
	return 0
}

// kitFailure adds a remedy to err, unless the engine has one for the code in the
// reply.
func kitFailure(err error) error {
	var answer *nimhttp.ServerError
	switch {
	case answerCode(err) == 0 && errors.As(err, &answer) && answer.Status >= 500:
		return &failure{err, "The kit server, or a proxy in front of it, is out of order: try again later"}
	case answerCode(err) == 0:
		return &failure{err, "Check -kit: it must be the address of a kit server, with its path prefix if it has one"}
	case engine.CodeOf(err) == 0:
		return &failure{err, "Check that -appkey names an app of this kit server"}
	}
	return err
}

const setUserToken = "Set IMREUSE_USER_TOKEN to the token of the account in -user"

func (d *doctor) hasAccount() bool { return d.account.UserUUID != "" && d.account.Token != "" }

// checkAccount reports whether the kit server accepted the account.
func (d *doctor) checkAccount(context.Context) (string, error) {
	switch user := d.account.UserUUID; {
	case user == "" && d.account.Token == "":
		return "", &skip{reason: "-user and IMREUSE_USER_TOKEN are not set"}
	case user == "":
		return "", &failure{errors.New("IMREUSE_USER_TOKEN is set, but -user is not"), "Name the account with -user"}
	case d.account.Token == "":
		return "", &failure{errors.New("-user is set, but IMREUSE_USER_TOKEN is not"), setUserToken}
	case errors.Is(d.refused, engine.ErrArgument):
		return "", &failure{d.refused, setUserToken}
	case d.refused != nil && engine.CodeOf(d.refused) == 0:
		return "", &failure{d.refused, "Check that -appkey names an app of this kit server, and -user an account of that app"}
	case d.refused != nil:
		return "", d.refused
	default:
		return fmt.Sprintf("%q is accepted, and bound to the IM account %q of the app %q", user, d.bound.Accid, d.bound.AppKey), nil
	}
}
