package play

// Tokens returns every token that the world of s has now, of the app's accounts
// and of temporary ones.
func (s *Session) Tokens() (tokens []string) {
	w := s.current()
	now := w.status()
	w.mu.Lock()
	defer w.mu.Unlock()
	tokens = append(tokens, w.wrong)
	for _, token := range w.tokens {
		tokens = append(tokens, token)
	}
	if kit, _, found := w.cloud.FindKit(now.UserUUID); found {
		tokens = append(tokens, kit.Token)
	}
	if im, found := w.cloud.FindIM(now.Accid); found {
		tokens = append(tokens, im.Token)
	}
	return tokens
}

// Secret returns what the page must show with each act.
func (s *Session) Secret() string { return s.secret }

// Sentences, Contrasts and Acts are what the page can show.
func Sentences() map[string]Sentence { return sentences }

func Contrasts() (all []Contrast) {
	for _, r := range rules {
		if r.differs != nil {
			all = append(all, *r.differs)
		}
	}
	return all
}

func RuleSentences() (ids []string) {
	for _, r := range rules {
		if r.says != "" {
			ids = append(ids, r.says)
		}
	}
	return ids
}

func ActNames() (names []string) {
	for name := range acts {
		names = append(names, name)
	}
	return names
}
