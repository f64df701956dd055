import { Group, Text } from "@mantine/core"
import { useEffect, useState } from "react"
import classes from "./StrengthMeter.module.css"
import type { Strength } from "./strength"

const words = ["Very weak", "Weak", "Fair", "Good", "Strong"] as const

/**
 * How long an attacker would need to guess the passphrase. The estimator and its
 * word lists are large, so they come only when something was typed.
 */
export function useStrength(passphrase: string, known: string[]): Strength | undefined {
  const [strength, setStrength] = useState<Strength>()
  const context = known.join("\0")
  useEffect(() => {
    if (passphrase === "") {
      setStrength(undefined)
      return
    }
    let current = true
    // One estimate takes some milliseconds: not for every key of a fast typist.
    const timer = setTimeout(async () => {
      const { estimate } = await import("./strength")
      const result = estimate(passphrase, context.split("\0").filter(Boolean))
      if (current) setStrength(result)
    }, 120)
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [passphrase, context])
  return strength
}

export function StrengthMeter(props: { strength: Strength | undefined }) {
  const { strength } = props
  const score = strength?.score ?? -1
  return (
    <div>
      <div className={classes.bars} aria-hidden>
        {words.map((word, i) => (
          <span key={word} className={classes.bar} data-score={i <= score ? score : undefined} />
        ))}
      </div>
      <Group gap={6} mt={6} mih={20} aria-live="polite" wrap="nowrap" align="baseline">
        {strength ? (
          <Text size="xs" c="dimmed">
            <Text span inherit fw={600} c="var(--mantine-color-text)">
              {words[strength.score]}.
            </Text>{" "}
            {strength.advice}
          </Text>
        ) : (
          <Text size="xs" c="dimmed">
            Four or five unrelated words are easy to remember and hard to guess.
          </Text>
        )}
      </Group>
    </div>
  )
}
