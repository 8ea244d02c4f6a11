export default async ({ data }) => data * 2
