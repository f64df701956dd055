import { Box, Group, Paper, Text, Title } from "@mantine/core"
import { type ReactNode, useId } from "react"
import classes from "./Section.module.css"

/** A titled card. `flush` lets rows and tables run to its edges. */
export function Section(props: {
  title: string
  description?: ReactNode
  actions?: ReactNode
  flush?: boolean
  children: ReactNode
}) {
  const id = useId()
  return (
    <Paper component="section" aria-labelledby={id} className={classes.section}>
      <Group className={classes.head} justify="space-between" align="center" gap="xs">
        <div className={classes.words}>
          <Title order={2} id={id}>
            {props.title}
          </Title>
          {props.description && (
            <Text size="sm" c="dimmed" mt={2}>
              {props.description}
            </Text>
          )}
        </div>
        {props.actions && (
          <Group gap={4} wrap="nowrap">
            {props.actions}
          </Group>
        )}
      </Group>
      <Box className={props.flush ? classes.flush : classes.body}>{props.children}</Box>
    </Paper>
  )
}
