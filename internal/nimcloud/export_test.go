package nimcloud

import "time"

// StartWith is Start with other limits; 0 keeps the default.
func StartWith(o Options, links int, login, idle, leave time.Duration) (*Cloud, error) {
	l := defaultLimits
	if links != 0 {
		l.links = links
	}
	for _, bound := range []struct {
		at   *time.Duration
		want time.Duration
	}{{&l.login, login}, {&l.idle, idle}, {&l.leave, leave}} {
		if bound.want != 0 {
			*bound.at = bound.want
		}
	}
	return start(o, l)
}
