/**
 * What the engine tells, as it is read from one text.
 *
 * # Promises
 * - A message that is no JSON, as in a damaged store, costs only itself: its call is refused, its
 *   run fails, and all other messages of the text are delivered.
 *
 * Proof: `__test__/contract/bridge.test.mjs`.
 */

import { parse } from './globals'

/** One message of the engine; its first element says which. */
// biome-ignore lint/suspicious/noExplicitAny: each kind of message has its own members.
export type Message = [kind: string, ...rest: any[]]

/** Some messages, and whether there are more to fetch. */
export type Messages = [hasMore: boolean, ...messages: Message[]]

const UNREADABLE = {
  code: 'TASKER_CORRUPT',
  message: 'The file is damaged: what it holds of this task is no JSON.',
} as const

/** What a run fails with whose data cannot be read. */
export const unreadable = { name: 'TaskerError', ...UNREADABLE }

/** The messages in a text; throws if they cannot be told apart. */
export function messagesIn(text: string): Messages {
  try {
    return parse(text)
  } catch {
    const [hasMore, ...messages] = elementsOf(text)
    return [hasMore === 'true', ...messages.map(messageIn)]
  }
}

function messageIn(text: string): Message {
  try {
    return parse(text)
  } catch {
    const [, kind = '', id = ''] = /^\["(\w)",(\d+)/.exec(text) ?? []
    if (kind === 'a') return ['n', Number(id), UNREADABLE]
    return kind === 'r' ? ['unreadable', Number(id)] : ['nothing']
  }
}

/** The texts of the elements of an array, whatever they are. */
function elementsOf(text: string): string[] {
  const elements: string[] = []
  let [depth, from, isText] = [0, 1, false]
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at] as string
    if (isText) {
      if (sign === '\\') at += 1
      else isText = sign !== '"'
    } else if (sign === '"') isText = true
    else if ('[{'.includes(sign)) depth += 1
    else if (']}'.includes(sign)) depth -= 1
    const isEnd = !isText && ((sign === ',' && depth === 1) || depth === 0)
    if (!isEnd) continue
    elements.push(text.slice(from, at))
    from = at + 1
  }
  if (text[0] !== '[' || depth !== 0 || from !== text.length)
    throw new SyntaxError('the text is no list of messages')
  return elements
}
