import { Text, VisuallyHidden } from "@mantine/core"
import { Link } from "@tanstack/react-router"
import { Fragment, type ReactNode } from "react"
import { Parts } from "../../shared/components/Parts"
import { formatDuration } from "../../shared/format"
import { useFormat } from "../../shared/hooks/preferences"
import type { Activity } from "../api/client"
import { kindOf, outcomeOf } from "../app/words"
import classes from "./ActivityList.module.css"
import { Age } from "./Age"

/** What happened, the newest first: who, what, when and with what outcome. */
export function ActivityList(props: {
  activities: readonly Activity[]
  /** On the page of one client its name need not be said. */
  withoutClient?: boolean
}) {
  return (
    <ul className="rows">
      {props.activities.map((activity) => (
        <Row key={activity.id} activity={activity} withoutClient={props.withoutClient} />
      ))}
    </ul>
  )
}

/** Leaves out the sign-ins that only preceded what the same client did next: that it was here is seen from that. */
export function worked(activities: readonly Activity[]): Activity[] {
  return activities.filter((activity, i) => {
    const next = activities[i - 1]
    const routine = activity.kind === "sign_in" && activity.outcome === "ok"
    return !(routine && next && next.client?.name === activity.client?.name)
  })
}

function Row(props: { activity: Activity; withoutClient?: boolean }) {
  const { activity } = props
  const format = useFormat()
  const { label, icon: Icon } = kindOf(activity)
  const outcome = outcomeOf(activity)
  const subjects: ReactNode[] = []
  if (activity.client && !props.withoutClient) {
    subjects.push(
      <Link to="/clients/$name" params={{ name: activity.client.name }} className={classes.client}>
        {activity.client.name}
      </Link>,
    )
  }
  if (activity.file) {
    subjects.push(
      <span className={classes.file} title={activity.file}>
        {activity.file}
      </span>,
    )
  }
  return (
    <li className={classes.row}>
      <Icon size={18} stroke={1.75} color={outcome.color} className={classes.icon} aria-hidden />
      <div className={classes.words}>
        <div className={classes.what}>
          <span className={classes.kind}>{label}</span>
          {subjects.map((subject, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: at most a client and a file, in this order
            <Fragment key={i}>{subject}</Fragment>
          ))}
          {activity.outcome === "ok" ? (
            <VisuallyHidden>{outcome.label}</VisuallyHidden>
          ) : (
            <span className={classes.outcome} data-outcome={activity.outcome}>
              {outcome.label}
            </span>
          )}
        </div>
        <Text size="xs" c="dimmed" className={classes.detail}>
          <Parts
            parts={[
              activity.version !== undefined && `version ${activity.version}`,
              activity.bytes !== undefined && format.bytes(activity.bytes),
              activity.took_seconds !== undefined && took(activity.took_seconds),
              activity.address !== undefined && `from ${activity.address}`,
            ]}
          />
          {activity.detail && (
            <span>
              {(activity.version ?? activity.bytes ?? activity.took_seconds ?? activity.address) !==
                undefined && " · "}
              {activity.detail}
            </span>
          )}
        </Text>
      </div>
      <Age at={activity.at} className={classes.age} />
    </li>
  )
}

function took(seconds: number): string {
  return seconds < 1 ? `${Math.max(1, Math.round(1_000 * seconds))} ms` : formatDuration(seconds)
}
