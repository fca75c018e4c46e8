/** Christoph Hellwig to Andrew Morton, 17 April 2004: an interrupted suspend does not unlock the file system. */
import { transactions_last } from "./freeze.ts";
import { suspends } from "./mason-2004-v2.ts";

export const hellwig_2004 = [transactions_last, suspends(() => {})];
