// What the demo shows. A live bar on a terminal, plain lines elsewhere.

const out = process.stdout
const style = code => text => (out.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text)

export const bold = style(1)
export const dim = style(2)
export const green = style(32)
export const red = style(31)

/** Prints a line. */
export const say = text => out.write(`${text}\n`)

/** A whole number for people. */
export const count = value => Math.round(value).toLocaleString('en')

/** Bytes for people. */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`
  const power = Math.min(3, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** power).toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB'][power]}`
}

/** Prints rows below a title, each column as wide as its widest cell; numbers to the right. */
export function table(title, rows) {
  if (rows.length === 0) return
  const widths = rows[0].map((_, i) => Math.max(...rows.map(row => row[i].length)))
  const isNumber = rows[0].map((_, i) => rows.every(row => /^[\d.,]/.test(row[i])))
  say(`\n${bold(title)}`)
  for (const row of rows) {
    const cells = row.map((cell, i) =>
      isNumber[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i]),
    )
    say(`  ${cells.join('  ').trimEnd()}`)
  }
}

/** How far the tasks are. */
export class Bar {
  #begin = performance.now()
  #drawn = 0
  #first

  constructor(total, current) {
    this.total = total
    this.current = current
    this.#first = current
    this.#draw()
  }

  /** One more task has ended. Draws twenty times a second, or a line per tenth. */
  step() {
    this.current++
    const tenth = Math.ceil(this.total / 10)
    const isDue = out.isTTY ? performance.now() - this.#drawn > 50 : this.current % tenth === 0
    if (isDue) this.#draw()
  }

  /** The last look. */
  end() {
    if (out.isTTY || this.current % Math.ceil(this.total / 10) !== 0) this.#draw()
    if (out.isTTY) say('')
  }

  #draw() {
    this.#drawn = performance.now()
    const share = this.total === 0 ? 1 : this.current / this.total
    const seconds = (this.#drawn - this.#begin) / 1000
    const pace = seconds > 0.1 ? `${count((this.current - this.#first) / seconds)} tasks/s` : ''
    const percent = `${Math.floor(share * 100)} %`.padStart(5)
    const text = `${percent}  ${count(this.current)} of ${count(this.total)}  ${dim(pace)}`
    if (!out.isTTY) return say(`  ${text.trimEnd()}`)
    const full = Math.round(share * 40)
    out.write(`\r\x1b[K  ${green('█'.repeat(full))}${dim('░'.repeat(40 - full))} ${text}`)
  }
}
