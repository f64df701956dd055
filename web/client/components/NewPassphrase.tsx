import { Stack } from "@mantine/core"
import { useState } from "react"
import { PassphraseField } from "../../shared/components/PassphraseField"
import { StrengthMeter, useStrength } from "./StrengthMeter"

/** A new passphrase, typed twice, its strength estimated. */
export function useNewPassphrase(known: string[]) {
  const [value, setValue] = useState("")
  const [again, setAgain] = useState("")
  const [problem, setProblem] = useState<{ field: "value" | "again"; message: string }>()
  const strength = useStrength(value, known)
  return {
    value,
    again,
    strength,
    problem,
    setValue(next: string) {
      setValue(next)
      setProblem(undefined)
    },
    setAgain(next: string) {
      setAgain(next)
      setProblem(undefined)
    },
    /** Whether the passphrase may be used; where not, the field says why. */
    async check(): Promise<boolean> {
      const { estimate } = await import("./strength")
      if (estimate(value, known.filter(Boolean)).score < 2) {
        setProblem({
          field: "value",
          message: "This passphrase is too easy to guess. Add another word or two.",
        })
        return false
      }
      if (value !== again) {
        setProblem({ field: "again", message: "The two passphrases differ. Type it once more." })
        return false
      }
      return true
    },
    clear() {
      setValue("")
      setAgain("")
      setProblem(undefined)
    },
  }
}

export function NewPassphrase(props: {
  form: ReturnType<typeof useNewPassphrase>
  label?: string
}) {
  const { form } = props
  return (
    <Stack gap="md">
      <Stack gap="xs">
        <PassphraseField
          label={props.label ?? "Passphrase"}
          name="new-passphrase"
          autoComplete="new-password"
          required
          withAsterisk={false}
          value={form.value}
          error={form.problem?.field === "value" && form.problem.message}
          onChange={(e) => form.setValue(e.currentTarget.value)}
        />
        <StrengthMeter strength={form.strength} />
      </Stack>
      <PassphraseField
        label="Repeat the passphrase"
        name="new-passphrase-again"
        autoComplete="new-password"
        required
        withAsterisk={false}
        value={form.again}
        error={form.problem?.field === "again" && form.problem.message}
        onChange={(e) => form.setAgain(e.currentTarget.value)}
      />
    </Stack>
  )
}
