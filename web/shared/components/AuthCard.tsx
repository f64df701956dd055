import { Paper, Stack, Text, Title } from "@mantine/core"
import type { ReactNode } from "react"
import { useTitle } from "../hooks/useTitle"
import classes from "./AuthCard.module.css"
import { Brand } from "./Brand"

/** A page that holds one thing to do: a card in the middle, the mark above it. */
export function AuthCard(props: {
  title: string
  /** Beside the mark, where it is not Coffer alone. */
  name?: string
  description?: ReactNode
  children: ReactNode
  footer?: ReactNode
}) {
  const { title } = props
  useTitle(title)
  return (
    <main className={classes.page}>
      <div className={classes.column}>
        <Brand name={props.name} />
        <Paper className={classes.card}>
          <Stack gap="lg">
            <div>
              <Title order={1}>{title}</Title>
              {props.description && (
                <Text c="dimmed" size="sm" mt={6}>
                  {props.description}
                </Text>
              )}
            </div>
            {props.children}
          </Stack>
        </Paper>
        {props.footer}
      </div>
    </main>
  )
}
