import { Text } from "@mantine/core"
import type { ReactNode } from "react"
import classes from "./SettingRow.module.css"

/** A setting: what it is and what it does on the left, its control on the right. */
export function SettingRow(props: {
  title: ReactNode
  description: ReactNode
  id?: string
  children: ReactNode
}) {
  return (
    <div className={classes.row}>
      <div className={classes.words}>
        <Text component={props.id ? "label" : "p"} htmlFor={props.id} size="sm" fw={500} m={0}>
          {props.title}
        </Text>
        <Text size="sm" c="dimmed">
          {props.description}
        </Text>
      </div>
      <div className={classes.control}>{props.children}</div>
    </div>
  )
}
