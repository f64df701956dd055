import { Group, NativeSelect, Paper } from "@mantine/core"
import { useDebouncedValue } from "@mantine/hooks"
import { IconActivity, IconUser } from "@tabler/icons-react"
import { useNavigate, useSearch } from "@tanstack/react-router"
import { useState } from "react"
import { ClearableInput } from "../../shared/components/ClearableInput"
import { Page } from "../../shared/components/Page"
import type { ActivityKind, Outcome } from "../api/client"
import { CallError } from "../api/client"
import { useActivities } from "../app/queries"
import type { ActivitySearch } from "../app/search"
import { kinds, outcomes } from "../app/words"
import { ActivityList } from "../components/ActivityList"
import { Empty, Waiting } from "../components/Empty"
import { More } from "../components/More"
import { QueryProblem } from "../components/QueryProblem"
import classes from "./Filters.module.css"

export function Activity() {
  const asked = useSearch({ from: "/framed/activity" })
  const navigate = useNavigate()
  const [client] = useDebouncedValue(asked.client, 300)
  const { activities, ...query } = useActivities({
    client,
    kind: asked.kind && [asked.kind],
    outcome: asked.outcome,
    limit: 100,
  })
  const [typed, setTyped] = useState(asked.client ?? "")
  const show = (change: ActivitySearch) =>
    navigate({ to: "/activity", search: (now) => ({ ...now, ...change }), replace: true })

  function type(words: string) {
    setTyped(words)
    show({ client: words || undefined })
  }

  const nobody = query.error instanceof CallError && query.error.status === 404
  const filtered = asked.client ?? asked.kind ?? asked.outcome
  return (
    <Page
      title="Activity"
      description="What happened on this server, newest first. Older entries are removed."
    >
      <div className="stack">
        {!nobody && <QueryProblem query={query} />}
        <Paper className={classes.card}>
          <Group className={classes.tools} gap="sm">
            <ClearableInput
              className={classes.words}
              aria-label="Client"
              placeholder="Name of a client"
              leftSection={<IconUser size={17} aria-hidden />}
              clearLabel="Any client"
              value={typed}
              onChange={type}
            />
            <NativeSelect
              aria-label="Kind"
              value={asked.kind ?? ""}
              onChange={(e) =>
                show({ kind: (e.currentTarget.value || undefined) as ActivityKind | undefined })
              }
              data={[
                { value: "", label: "Everything" },
                ...Object.entries(kinds).map(([value, { label }]) => ({ value, label })),
              ]}
            />
            <NativeSelect
              aria-label="Outcome"
              value={asked.outcome ?? ""}
              onChange={(e) =>
                show({ outcome: (e.currentTarget.value || undefined) as Outcome | undefined })
              }
              data={[
                { value: "", label: "Any outcome" },
                ...Object.entries(outcomes).map(([value, { label }]) => ({ value, label })),
              ]}
            />
          </Group>
          <div className={classes.list}>
            {nobody ? (
              <Empty
                icon={IconActivity}
                title={`There is no client “${asked.client}”`}
                description="Enter the full name of a client with an account on this server."
              />
            ) : !activities ? (
              !query.problem && <Waiting rows={8} />
            ) : activities.length === 0 ? (
              <Empty
                icon={IconActivity}
                title={filtered ? "Nothing of that kind is remembered" : "Nothing has happened yet"}
                description={
                  filtered
                    ? "Choose another kind, outcome or client."
                    : "Registrations, uploads, restores and errors are listed here as they happen."
                }
              />
            ) : (
              <ActivityList activities={activities} />
            )}
            <More query={query} />
          </div>
        </Paper>
      </div>
    </Page>
  )
}
