package console

import (
	"net/http"

	"coffer/console/contract"
	"coffer/internal/diagnose"
	"coffer/protocol"
)

// ListFailures lists base requests that failed: GET /api/failures.
func (c *Console) ListFailures(w http.ResponseWriter, r *http.Request) {
	answer := contract.FailureList{Failures: []contract.Failure{}}
	for _, e := range c.cfg.Failures() {
		answer.Failures = append(answer.Failures, failedExchange(&e))
	}
	c.answers.Reply(w, r, http.StatusOK, answer, nil)
}

func failedExchange(e *protocol.FailedExchange) contract.Failure {
	found := diagnose.Exchange(e)
	answer := contract.Failure{At: found.At.UTC(), Peer: found.Peer, Client: nonZero(found.Client), RequestsBefore: int64(found.Earlier), Request: found.Request,
		Reason: found.Reason, Rule: found.Rule, Usually: found.Usually, Fields: []contract.WireField{}}
	for _, f := range found.Fields {
		answer.Fields = append(answer.Fields, contract.WireField{Offset: f.Offset, Bytes: f.Bytes, Meaning: f.Meaning})
	}
	return answer
}
