import { Progress, Text } from "@mantine/core"
import type { ReactNode } from "react"
import { FileName } from "./FileName"
import classes from "./ProgressRow.module.css"

/** One thing under way or done: what, how far, in what state, and what can be done with it. */
export function ProgressRow(props: {
  icon: ReactNode
  name: string
  /** Beside the name, in small: a lock, a version. */
  mark?: ReactNode
  details: ReactNode
  state: ReactNode
  /** Percent; without it there is no bar. */
  progress?: number
  progressColor?: string
  actions?: ReactNode
  children?: ReactNode
}) {
  return (
    <li className={classes.row}>
      <span className={classes.icon}>{props.icon}</span>
      <div className={classes.main}>
        <div className={classes.line}>
          <span className={classes.name}>
            <FileName name={props.name} />
          </span>
          {props.mark}
        </div>
        {props.progress !== undefined && (
          <Progress.Root size={5} my={5}>
            <Progress.Section
              value={props.progress}
              color={props.progressColor}
              aria-label={`Progress of ${props.name}`}
            />
          </Progress.Root>
        )}
        <div className={classes.line}>
          <Text size="xs" c="dimmed" className={classes.details}>
            {props.details}
          </Text>
          <Text size="xs" fw={500} className={classes.state}>
            {props.state}
          </Text>
        </div>
        {props.children}
      </div>
      <div className={classes.actions}>{props.actions}</div>
    </li>
  )
}
