package server

import (
	"errors"

	"coffer/server/metrics"
)

// outcomeOf is how a request ended that the error answers.
func outcomeOf(err error) metrics.Outcome {
	switch {
	case err == nil:
		return metrics.Served
	case errors.As(err, new(*refusal)):
		return metrics.Refused
	case errors.As(err, new(lostError)):
		return metrics.Lost
	}
	return metrics.Failed
}
