package console

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"

	"coffer/server"
	"coffer/store"
)

// ListTransfers lists uploads: GET /api/transfers.
func (c *Console) ListTransfers(w http.ResponseWriter, r *http.Request) {
	ended, err := c.core.Activities(r.Context(), store.ActivityFilter{Limit: 50,
		Kinds: []store.ActivityKind{store.ActivityUpload, store.ActivityMismatch, store.ActivityUploadDropped}})
	c.reply(w, r, http.StatusOK, TransferList{Transfers: c.transferList(r.Context(), c.core.Transfers()), Ended: c.activities(r.Context(), ended)}, err)
}

func (c *Console) transferList(ctx context.Context, list []server.Transfer) []Transfer {
	told := make([]Transfer, 0, len(list))
	for _, m := range list {
		one := Transfer{Id: m.ID.String(), Client: c.clientRef(ctx, m.Client, m.Fingerprint), File: m.File,
			State: TransferState(m.State), Format: format(m.Format), Bytes: m.Bytes, Packets: int64(m.Received),
			TotalPackets: nonZero(int64(m.Total)), Missing: int64(m.Missing), AttemptsLeft: m.AttemptsLeft,
			Started: m.Started.UTC(), Changed: m.Changed.UTC(), Expires: m.Expires.UTC(), Rate: float64(m.Rate)}
		if m.OriginalSize >= 0 {
			one.OriginalBytes, one.TotalBytes = &m.OriginalSize, &m.Size
		}
		if left := float64(m.Left.Seconds()); m.Left >= 0 {
			one.SecondsLeft = &left
		}
		told = append(told, one)
	}
	return told
}

// CancelTransfer drops an upload: DELETE /api/transfers/{id}.
func (c *Console) CancelTransfer(w http.ResponseWriter, r *http.Request, id UploadID, _ CancelTransferParams) {
	var upload store.UploadID
	// The contract allows no others.
	if n, err := hex.Decode(upload[:], []byte(id)); err != nil || n != len(upload) {
		c.fail(w, r, &problem{status: http.StatusBadRequest, detail: "id: not an upload's id", field: "id"})
		return
	}
	err := c.core.CancelTransfer(r.Context(), upload)
	if errors.Is(err, server.ErrNoTransfer) {
		err = &problem{status: http.StatusNotFound, detail: "there is no such upload in progress, or not any more"}
	}
	c.reply(w, r, http.StatusNoContent, nil, err)
}
