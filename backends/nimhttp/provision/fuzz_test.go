package provision_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/backends/nimhttp/provision"
)

// Whatever a server sends, there is no panic, no success without the account,
// no token in an error, and no second create after one that may have worked.
func FuzzReplies(f *testing.F) {
	for _, seed := range []struct {
		status        int
		create, query string
	}{
		{200, `{"code":200,"data":{"account_id":"user01","token":"x"}}`, ``},
		{200, `{"code":0,"data":{"user_uuid":"user01","user_token":"x","im_token":"im-token-1"}}`, ``},
		{200, `{"code":409}`, `{"code":0,"data":[{"userUuid":"user01","userToken":"x","imToken":"im-token-1"}]}`},
		{200, `{"code":102405}`, `{"code":200,"data":{"account_id":"user01","token":"im-token-2"}}`},
		{200, `{"code":414,"msg":"already register"}`, `{"code":0,"data":{"a":[{"user_uuid":"user01"}]}}`},
		{200, `{"code":416}`, `{}`},
		{200, `{"code":449,"msg":"im-token-1"}`, `null`},
		{200, `{}`, `{"code":0,"data":{"user_uuid":{},"user_information":[]}}`},
		{401, `{"code":"401"}`, `[`},
		{503, `<html>`, `{"code":0,"data":[[]]}`},
		{307, ``, ``},
	} {
		f.Add(seed.status, seed.create, seed.query)
	}
	f.Fuzz(func(t *testing.T, status int, create, query string) {
		if status < 200 || status > 599 {
			status = 200
		}
		synctest.Test(t, func(t *testing.T) {
			for _, call := range creates {
				posts := 0
				server := roundTripper(func(r *http.Request) (*http.Response, error) {
					out := httptest.NewRecorder()
					out.Header().Set("Content-Type", "application/json")
					if r.Method == http.MethodPost {
						posts++
						out.WriteHeader(status)
						out.WriteString(create)
					} else {
						out.WriteString(query)
					}
					return out.Result(), nil
				})
				c := newClient(t, provision.Options{HTTPClient: &http.Client{Transport: server}})
				id, token, err := call.create(t.Context(), c, wanted)
				if err == nil && (id != "user01" || token == "") || err != nil && id+token != "" {
					t.Errorf("%s: got %q, %q, %v", call.name, id, token, err)
				}
				if err == nil && posts != 1 || posts > 3 {
					t.Errorf("%s: got %d creates, %v", call.name, posts, err)
				}
				for _, err := range []error{err, c.UpdateAccount(t.Context(), wanted)} {
					if err != nil && (strings.Contains(err.Error(), imToken) || strings.Contains(err.Error(), userToken)) {
						t.Errorf("%s: the error contains a token: %q", call.name, err)
					}
				}
			}
		})
	})
}
