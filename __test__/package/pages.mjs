// The pages that users read, and the programs in them.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root, tsc } from './program.mjs'

/** The text of a file of the package. */
export const read = path => readFileSync(join(root, path), 'utf8')

/** The pages below a folder, as paths from the root of the package. */
export function pagesBelow(folder) {
  const names = readdirSync(join(root, folder), { recursive: true })
  return names.filter(name => name.endsWith('.md')).map(name => join(folder, name))
}

/** The blocks of a page, in order: the language, the words after it, and the text. */
export function blocksOf(page) {
  const found = read(page).matchAll(/^```(\w+)([^\n]*)\n(.*?)^```$/gms)
  return [...found].map(([, language, words, text]) => ({ language, words: words.trim(), text }))
}

/** Compiles a program as a user with strict settings does. */
export function compile(folder, ...names) {
  const strict = ['--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022']
  tsc([...strict, '--types', 'node', ...names], folder)
}

/** The links of a page to files of the package, without those inside of programs. */
export function linksOf(page) {
  const text = read(page).replaceAll(/^```.*?^```$/gms, '')
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link)
  return links.filter(link => !/^(https?|mailto):/.test(link))
}

/** The file that a link of a page leads to, as a path from the root of the package. */
export function targetOf(page, link) {
  const [path] = link.split('#')
  return path === '' ? page : join(dirname(page), path)
}

/** The links of a page that lead to no file, or to no heading of it. */
export function deadLinks(page) {
  return linksOf(page).filter(link => {
    const [, anchor] = link.split('#')
    const target = targetOf(page, link)
    if (!existsSync(join(root, target))) return true
    return anchor !== undefined && !anchors(target).includes(anchor)
  })
}

/** The headings of a page as they are named in links. */
function anchors(page) {
  const headings = [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading)
  const plain = heading => heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
  return headings.map(heading => plain(heading).replaceAll(' ', '-'))
}
