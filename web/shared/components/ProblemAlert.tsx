import { Alert, Group, Text } from "@mantine/core"
import { IconAlertCircle } from "@tabler/icons-react"
import type { ReactNode } from "react"

/** What happened and what to do next. */
export function ProblemAlert(props: {
  problem: { title: string; message: string; advice: string }
  color?: string
  action?: ReactNode
}) {
  const { problem } = props
  return (
    <Alert
      color={props.color ?? "red"}
      variant="light"
      role="alert"
      title={problem.title}
      icon={<IconAlertCircle aria-hidden />}
    >
      <Text size="sm">
        {problem.message} {problem.advice}
      </Text>
      {props.action && <Group mt="sm">{props.action}</Group>}
    </Alert>
  )
}
