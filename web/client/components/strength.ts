import { ZxcvbnFactory } from "@zxcvbn-ts/core"
import { adjacencyGraphs, dictionary as common } from "@zxcvbn-ts/language-common"
import { dictionary as english, translations } from "@zxcvbn-ts/language-en"

export type Score = 0 | 1 | 2 | 3 | 4
export type Strength = { score: Score; advice: string }

const estimator = new ZxcvbnFactory({
  dictionary: { ...common, ...english },
  graphs: adjacencyGraphs,
  translations,
})

/**
 * Guesses a second of an attacker who has the server's disk and a rack of
 * graphics cards: each guess costs him Argon2id over 64 MiB.
 */
const guessesPerSecond = 100_000

const bounds: [Score, number][] = [
  [0, 1e7],
  [1, 1e11],
  [2, 1e13],
  [3, 1e16],
]

/** Estimates a passphrase; `known` are words that an attacker would try first, such as the account's name. */
export function estimate(passphrase: string, known: string[]): Strength {
  // Matching takes quadratic time, and past this length there is nothing left to say.
  const { guesses, feedback } = estimator.check(passphrase.slice(0, 100), known)
  const score = bounds.find(([, most]) => guesses < most)?.[0] ?? 4
  if (score < 2) {
    const hint = feedback.warning || feedback.suggestions[0] || "Add another word or two."
    return { score, advice: hint.replaceAll("password", "passphrase") }
  }
  return {
    score,
    advice: `A well-equipped attacker would need ${howLong(guesses / guessesPerSecond)} to guess it.`,
  }
}

function howLong(seconds: number): string {
  const days = seconds / 86_400
  if (days < 60) return `about ${Math.round(days)} days`
  if (days < 730) return `about ${Math.round(days / 30)} months`
  if (days < 365_000) return `about ${Math.round(days / 365)} years`
  return "thousands of years"
}
