package console

import (
	"net/http"

	"coffer/console/contract"
	"coffer/protocol"
)

// ListFailures lists base requests that failed: GET /api/failures.
func (c *Console) ListFailures(w http.ResponseWriter, r *http.Request) {
	answer := contract.FailureList{Failures: []contract.Failure{}}
	for _, e := range c.cfg.Failures() {
		answer.Failures = append(answer.Failures, failedExchange(e))
	}
	c.answers.Reply(w, r, http.StatusOK, answer, nil)
}

func failedExchange(e protocol.FailedExchange) contract.Failure {
	answer := contract.Failure{At: e.At.UTC(), Peer: e.Peer, Client: nonZero(e.Client), RequestsBefore: int64(e.Earlier), Request: e.Code.String(),
		Reason: e.Reason, Rule: e.Rule.String(), Usually: e.Rule.Usually(), Fields: []contract.WireField{}}
	for _, part := range e.Parts() {
		answer.Fields = append(answer.Fields, contract.WireField{Offset: part.Offset, Bytes: part.Bytes, Meaning: part.Meaning})
	}
	return answer
}
