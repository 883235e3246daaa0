package inspect_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	_ "net/http/pprof" // serves /debug/pprof/

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/inspect"
)

var (
	backend = mockim.NewService(mockim.ServiceOptions{AppKey: "app1"}).Device()

	// requireLogin stands for the login that the app already has in front of
	// its own pages.
	requireLogin = func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, _, _ := r.BasicAuth(); user != "admin" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
)

// Beside net/http/pprof, and behind the app's own login.
func Example() {
	i := inspect.New(engine.Options{Mode: engine.ReuseIM})
	e, err := engine.New(backend, "app1", i.Options())
	if err != nil {
		log.Fatal(err)
	}
	defer i.Watch("chat", e)()
	http.Handle("/debug/imreuse/", requireLogin(i.Handler())) // without a login: i.Handler()

	// The app listens on loopback: http.ListenAndServe("localhost:6060", nil).
	app := httptest.NewServer(nil)
	defer app.Close()
	for _, user := range []string{"admin", "anybody"} {
		r, err := http.NewRequest(http.MethodGet, app.URL+"/debug/imreuse/", nil)
		if err != nil {
			log.Fatal(err)
		}
		r.SetBasicAuth(user, "")
		reply, err := app.Client().Do(r)
		if err != nil {
			log.Fatal(err)
		}
		reply.Body.Close()
		fmt.Println(user, reply.Status)
	}
	// Output:
	// admin 200 OK
	// anybody 401 Unauthorized
}
