package admin

import (
	"context"
	"fmt"

	"coffer/store"
)

// Activities are what happened, the newest first.
func (s *Service) Activities(ctx context.Context, f store.ActivityFilter) ([]store.Activity, error) {
	return s.deps.Catalog.Activities(ctx, f)
}

// ActivitiesOf are what happened to a client, the newest first.
func (s *Service) ActivitiesOf(ctx context.Context, name string, f store.ActivityFilter) ([]store.Activity, error) {
	client, err := s.deps.Catalog.ClientByName(ctx, name)
	if err != nil {
		return nil, err
	}
	f.Client = client.ID
	return s.deps.Catalog.Activities(ctx, f)
}

// plural is a count of things, in words.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
