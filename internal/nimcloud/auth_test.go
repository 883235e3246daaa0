package nimcloud_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

const (
	appSecret  = "secret-of-app1"
	notAllowed = 403

	noAuthType     = "" // the tag is left out
	staticType     = "0"
	dynamicType    = "1"
	thirdPartyType = "2"
	unknownType    = "7"
)

var tokenMade = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// dynamicToken lives for a minute.
func dynamicToken(accid string) string {
	return provision.DynamicToken(appKey, appSecret, accid, tokenMade, time.Minute)
}

// startAt starts a cloud whose clock stands still.
func startAt(t *testing.T, secret string, now time.Time) *nimcloud.Cloud {
	t.Helper()
	return startOptions(t, nimcloud.Options{
		World: newWorld(manyDevices), AppSecret: secret, Now: func() time.Time { return now },
	})
}

func startOptions(t *testing.T, o nimcloud.Options) *nimcloud.Cloud {
	t.Helper()
	c, err := nimcloud.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

// loginAs says in its packet which kind the token is.
func (c *client) loginAs(authType, accid, token string, code int) {
	c.t.Helper()
	pairs := []any{3, "16", 13, c.device, 18, appKey, 19, accid, 1000, token}
	if authType != noAuthType {
		pairs = append(pairs, 115, authType)
	}
	c.send(login, properties(pairs...))
	c.want(login, code)
}

func TestAuthType(t *testing.T) {
	signed := func(appKey, secret, accid string) string {
		return provision.DynamicToken(appKey, secret, accid, tokenMade, time.Minute)
	}
	tests := []struct {
		name, authType, accid, token string
		code                         int
	}{
		{"static", staticType, "user-one", "token-one", ok},
		{"static, unsaid", noAuthType, "user-one", "token-one", ok},
		{"dynamic", dynamicType, "user-one", dynamicToken("user-one"), ok},
		{"dynamic, as spelled in the login", dynamicType, "User-One", dynamicToken("User-One"), ok},
		{"static as dynamic", dynamicType, "user-one", "token-one", tokenInvalid},
		{"dynamic as static", staticType, "user-one", dynamicToken("user-one"), tokenInvalid},
		{"dynamic, unsaid", noAuthType, "user-one", dynamicToken("user-one"), tokenInvalid},
		{"dynamic, spelled differently", dynamicType, "User-One", dynamicToken("user-one"), tokenInvalid},
		{"dynamic of another account", dynamicType, "user-two", dynamicToken("user-one"), tokenInvalid},
		{"dynamic of an unknown account", dynamicType, "nobody", dynamicToken("nobody"), tokenInvalid},
		{"dynamic of another app", dynamicType, "user-one", signed("app2", appSecret, "user-one"), tokenInvalid},
		{"dynamic with another secret", dynamicType, "user-one", signed(appKey, "guess", "user-one"), tokenInvalid},
		{"dynamic without a token", dynamicType, "user-one", "", tokenInvalid},
		{"third party", thirdPartyType, "user-one", "token-one", notAllowed},
		{"unknown kind", unknownType, "user-one", "token-one", notAllowed},
	}
	cloud := startAt(t, appSecret, tokenMade)
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dial(t, cloud, fmt.Sprint("d", i)).loginAs(test.authType, test.accid, test.token, test.code)
		})
	}
}

func TestDynamicTokenRunsOut(t *testing.T) {
	for _, row := range []struct {
		after time.Duration
		code  int
	}{
		{0, ok},
		{time.Minute - time.Millisecond, ok},
		{time.Minute, tokenInvalid},
		{time.Hour, tokenInvalid},
	} {
		t.Run(row.after.String(), func(t *testing.T) {
			cloud := startAt(t, appSecret, tokenMade.Add(row.after))
			dial(t, cloud, "d1").loginAs(dynamicType, "user-one", dynamicToken("user-one"), row.code)
		})
	}
}

// A cloud without a secret is an app whose console does not allow them.
func TestDynamicTokenWithoutSecret(t *testing.T) {
	cloud := startAt(t, "", tokenMade)
	unsigned := provision.DynamicToken(appKey, "", "user-one", tokenMade, time.Minute)
	c := dial(t, cloud, "d1")
	c.loginAs(dynamicType, "user-one", unsigned, notAllowed)
	c.loginAs(staticType, "user-one", "token-one", ok)
}

// A login with a dynamic token is one as any other in the world.
func TestDynamicTokenLogin(t *testing.T) {
	cloud := startOptions(t, nimcloud.Options{
		World: newWorld(oneDevice), AppSecret: appSecret, Now: func() time.Time { return tokenMade },
	})
	first, second := dial(t, cloud, "d1"), dial(t, cloud, "d2")
	first.loginAs(dynamicType, "user-one", dynamicToken("user-one"), ok)
	second.loginAs(staticType, "user-one", "token-one", ok)
	first.wantKicked(0, 1, "")
	wantClients(t, cloud, "d1 ", "d2 user-one")
}
