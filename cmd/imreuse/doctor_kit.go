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

// The checks of the kit server, and of the clock.

const (
	vendorKitURL = "https://roomkit.netease.im"
	longestSkew  = 5 * time.Minute // the servers refuse more
	longestReply = 1 << 20
)

// get fetches a URL, and no more of it than a reply may have.
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
	body, err := io.ReadAll(io.LimitReader(res.Body, longestReply))
	return res, body, err
}

// A skew is how far the clock of this machine is ahead of a server's.
type skew struct {
	server string
	ahead  time.Duration
}

// noteTime keeps what time a server of the vendor's has.
func (d *doctor) noteTime(res *http.Response) {
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		d.skew = &skew{res.Request.URL.Host, time.Since(date)}
	}
}

// checkClock compares the clock with the kit server's, or with the address
// service's if the kit server does not tell.
func (d *doctor) checkClock(ctx context.Context) (string, error) {
	if res, _, err := get(ctx, d.proxied, d.options.KitURL); err == nil {
		d.noteTime(res)
	}
	if d.skew == nil {
		return "", &skip{"no server told the time", true}
	}
	ahead := d.skew.ahead.Round(time.Second)
	if ahead.Abs() > longestSkew {
		return "", &failure{
			fmt.Errorf("the clock of this machine and that of %s differ by %v, and the servers refuse more than %v", d.skew.server, ahead.Abs(), longestSkew),
			"Set the clock, best by NTP",
		}
	}
	return fmt.Sprintf("it agrees with %s to within %v", d.skew.server, max(ahead.Abs(), time.Second)), nil
}

// authenticate logs a kit account in at the kit server.
func (d *doctor) authenticate(ctx context.Context, a engine.KitAccount) (engine.IMAccount, error) {
	kit, err := nimhttp.NewKit(d.options)
	if err != nil {
		return engine.IMAccount{}, err
	}
	defer kit.Close()
	return kit.Authenticate(ctx, a)
}

// checkKit logs the account in, if one was named, and otherwise one that does
// not exist. A kit server answers in its envelope, with a code if it refuses;
// whether it accepts the account is the next check.
func (d *doctor) checkKit(ctx context.Context) (string, error) {
	if d.hasAccount() {
		d.bound, d.refused = d.authenticate(ctx, d.account)
		d.secrets = append(d.secrets, d.bound.Token)
		if d.refused == nil || answerCode(d.refused) != 0 && !errors.Is(d.refused, engine.ErrUnavailable) {
			return d.options.KitURL + " answers as a kit server does", nil
		}
		if !errors.Is(d.refused, engine.ErrArgument) { // that was never sent
			return "", kitFailure(d.refused)
		}
	}
	_, err := d.authenticate(ctx, engine.KitAccount{UserUUID: "imreuse-doctor", Token: uuid.NewString()})
	if err == nil {
		return "", kitFailure(fmt.Errorf("%s logged in an account that does not exist", d.options.KitURL))
	}
	code := answerCode(err)
	if code != 0 && (errors.Is(err, engine.ErrTokenRejected) || errors.Is(err, engine.ErrNoIMAccount)) {
		return fmt.Sprintf("%s answers as a kit server does, and refuses an account that does not exist (code %d)", d.options.KitURL, code), nil
	}
	return "", kitFailure(err)
}

// answerCode is the code in the envelope of the kit server's answer; 0: err is
// no such answer.
func answerCode(err error) int {
	var answer *nimhttp.ServerError
	if errors.As(err, &answer) {
		return answer.Code
	}
	return 0
}

// kitFailure adds a remedy to err. An answer with a code that has a meaning to
// the engine has its own.
func kitFailure(err error) error {
	switch {
	case answerCode(err) == 0:
		return &failure{err, "Check -kit: it is the address of a kit server, with its path prefix if it has one"}
	case engine.CodeOf(err) == 0:
		return &failure{err, "Check that -appkey is an app of this kit server"}
	}
	return err
}

const setUserToken = "Set IMREUSE_USER_TOKEN to the token of the account that -user names"

func (d *doctor) hasAccount() bool { return d.account.UserUUID != "" && d.account.Token != "" }

// checkAccount reports what the kit server made of the account.
func (d *doctor) checkAccount(context.Context) (string, error) {
	switch user := d.account.UserUUID; {
	case user == "" && d.account.Token == "":
		return "", &skip{reason: "-user and IMREUSE_USER_TOKEN name no account"}
	case user == "":
		return "", &failure{errors.New("IMREUSE_USER_TOKEN is set, and -user is not"), "Name the account with -user"}
	case d.account.Token == "":
		return "", &failure{errors.New("-user is set, and IMREUSE_USER_TOKEN is not"), setUserToken}
	case errors.Is(d.refused, engine.ErrArgument):
		return "", &failure{d.refused, setUserToken}
	case d.refused != nil && engine.CodeOf(d.refused) == 0:
		return "", &failure{d.refused, "Check that -appkey is an app of this kit server, and -user an account of the app"}
	case d.refused != nil:
		return "", d.refused
	default:
		return fmt.Sprintf("%q is accepted, and bound to the IM account %q of the app %q", user, d.bound.Accid, d.bound.AppKey), nil
	}
}
