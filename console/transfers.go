package console

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"

	"coffer/console/contract"
	"coffer/internal/problem"
	"coffer/protocol"
	"coffer/server/admin"
	"coffer/store"
)

// ListTransfers lists uploads: GET /api/transfers.
func (c *Console) ListTransfers(w http.ResponseWriter, r *http.Request) {
	ended, err := c.core.Activities(r.Context(), store.ActivityFilter{Limit: 50,
		Kinds: []store.ActivityKind{store.ActivityUpload, store.ActivityMismatch, store.ActivityUploadDropped}})
	c.answers.Reply(w, r, http.StatusOK, contract.TransferList{Transfers: c.transferList(r.Context(), c.core.Transfers()), Ended: c.activities(r.Context(), ended)}, err)
}

func (c *Console) transferList(ctx context.Context, list []admin.Transfer) []contract.Transfer {
	answer := make([]contract.Transfer, 0, len(list))
	for _, m := range list {
		one := contract.Transfer{Id: m.ID.String(), Client: c.clientRef(ctx, m.Client, m.Fingerprint), File: m.File,
			State: contract.TransferState(m.State), Format: format(protocol.Format(m.Format)), Bytes: m.Bytes, Packets: int64(m.Received),
			TotalPackets: nonZero(int64(m.Total)), Missing: int64(m.Missing), AttemptsLeft: m.AttemptsLeft,
			Started: m.Started.UTC(), Changed: m.Changed.UTC(), Expires: m.Expires.UTC(), Rate: float64(m.Rate)}
		if m.OriginalSize >= 0 {
			one.OriginalBytes, one.TotalBytes = &m.OriginalSize, &m.Size
		}
		if left := float64(m.Left.Seconds()); m.Left >= 0 {
			one.SecondsLeft = &left
		}
		answer = append(answer, one)
	}
	return answer
}

// CancelTransfer drops an upload: DELETE /api/transfers/{id}.
func (c *Console) CancelTransfer(w http.ResponseWriter, r *http.Request, id contract.UploadID, _ contract.CancelTransferParams) {
	var upload store.UploadID
	// The contract allows no others.
	if n, err := hex.Decode(upload[:], []byte(id)); err != nil || n != len(upload) {
		c.answers.Fail(w, r, problem.Field("id", "not an upload's id"))
		return
	}
	err := c.core.CancelTransfer(r.Context(), upload)
	if errors.Is(err, admin.ErrNoTransfer) {
		err = problem.New(problem.NotFound, "no such upload in progress")
	}
	c.answers.Reply(w, r, http.StatusNoContent, nil, err)
}
