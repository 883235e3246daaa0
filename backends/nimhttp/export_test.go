package nimhttp

import "time"

// SetLimits shortens the times that IM waits. Call it before a login, because
// the goroutine that watches a login reads them.
func (im *IM) SetLimits(silence, wait, retry, login, giveUp time.Duration) {
	im.turn <- struct{}{}
	defer func() { <-im.turn }()
	im.limits = limits{silence: silence, wait: wait, retry: retry, login: login, giveUp: giveUp}
}
