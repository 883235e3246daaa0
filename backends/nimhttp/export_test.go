package nimhttp

import "time"

// SetLimits shortens what IM waits for. It is for before a login: the goroutine
// that watches one reads them.
func (im *IM) SetLimits(silence, wait, retry, login, giveUp time.Duration) {
	im.turn <- struct{}{}
	defer func() { <-im.turn }()
	im.limits = limits{silence: silence, wait: wait, retry: retry, login: login, giveUp: giveUp}
}
