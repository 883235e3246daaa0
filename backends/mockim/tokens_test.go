package mockim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// No way of printing a service, a device or an error shows a token.
func TestTokensNeverPrint(t *testing.T) {
	s := newService(mockim.ServiceOptions{})
	d, _ := loggedIn(t, s, alice)
	must(t, d.LoginKit(t.Context(), kitAlice, engine.Notify{}))
	made, err := s.CreateKitAccount("alice", alice.Token)
	must(t, err)
	_, rejected := s.CreateKitAccount("bob", alice.Token)
	_, unknown := d.Authenticate(t.Context(), engine.KitAccount{UserUUID: "user9", Token: secret})
	unnamed := mockim.NewService(mockim.ServiceOptions{NoAnonymous: true}).Device()
	_, unsupported := unnamed.Anonymous(t.Context())
	for name, v := range map[string]any{
		"service":     s,
		"device":      d,
		"options":     mockim.ServiceOptions{AppKey: appKey},
		"holder":      struct{ d *mockim.Device }{d},
		"calls":       d.Calls(),
		"in use":      d.LoginIM(t.Context(), bob, engine.Notify{}),
		"rejected":    rejected,
		"wrong kit":   d.LoginKit(t.Context(), engine.KitAccount{UserUUID: "user1", Token: "wrong-" + secret}, engine.Notify{}),
		"unknown":     unknown,
		"unsupported": unsupported,
		"no init":     s.Device().HostLogin(t.Context(), alice),
		"wrong host":  d.HostLogin(t.Context(), withWrongToken(bob)),
		"other app":   d.InitIM(t.Context(), "app2"),
	} {
		if v == nil {
			t.Errorf("%s is nil", name)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			t.Run(name+" with "+verb, func(t *testing.T) {
				text := fmt.Sprintf(verb, v)
				for _, token := range []string{secret, made.Token, fmt.Sprintf("%x", secret)} {
					if strings.Contains(text, token) {
						t.Errorf("a token: %s", text)
					}
				}
			})
		}
	}
}
