module github.com/imreuse/imreuse

go 1.25

require (
	github.com/google/uuid v1.6.0
	github.com/looplab/fsm v1.0.3
)
