/** As much of a Dockerfile's form as its test looks at. */
export interface Instruction {
  name: string
  words: string
}

const NAMES = new Set(
  'FROM RUN CMD LABEL EXPOSE ENV ADD COPY ENTRYPOINT VOLUME USER WORKDIR ARG STOPSIGNAL HEALTHCHECK SHELL'.split(' '),
)

/** The instructions in order, continued lines joined; throws on what is none. */
export function readDockerfile(text: string): Instruction[] {
  const joined = text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replace(/\\\n\s*/g, '')
  return joined
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', words = ''] = /^([A-Z]+) +(.*)$/.exec(line) ?? []
      if (!NAMES.has(name)) throw new Error(`no instruction: ${line}`)
      return { name, words }
    })
}
