import { describe, expect, it } from 'vitest';
import { painter } from '../../src/cli/output.ts';
import { renderTable, type Column, type TableOptions } from '../../src/cli/render/table.ts';

const columns: readonly Column[] = [
  { title: 'NODE', cells: ['lb1', 'lb1-primary'] },
  { title: 'PORT', cells: ['19999', ''], spare: 1 },
  { title: 'UPTIME', cells: ['3m', '12s'], spare: 2 },
];

function draw(options: Partial<TableOptions>, from = columns): readonly string[] {
  return renderTable(from, { paint: painter(false), width: undefined, ...options });
}

describe('a table', () => {
  it('has columns as wide as what is in them', () => {
    expect(draw({})).toEqual([
      '  NODE         PORT   UPTIME', //
      '  lb1          19999  3m',
      '  lb1-primary         12s',
    ]);
  });

  it('leaves out a column that says nothing, unless it is always shown', () => {
    const empty = [
      { title: 'NODE', cells: ['lb1'] },
      { title: 'LAG', cells: [''], spare: 1 },
      { title: 'ROLE', cells: [''] },
    ];
    expect(draw({}, empty)).toEqual(['  NODE  ROLE', '  lb1']);
  });

  it('leaves out the column that can be spared first where the terminal is narrow', () => {
    expect(draw({ width: 28 })[0]).toBe('  NODE         PORT   UPTIME');
    expect(draw({ width: 27 })[0]).toBe('  NODE         PORT');
    expect(draw({ width: 10 })[0]).toBe('  NODE');
  });

  it('has notes at the end of the rows, or below them where one is too wide', () => {
    const notes = { title: 'NOTE', cells: ['', 'does not stream'] };
    expect(draw({ notes, width: 45 })).toEqual([
      '  NODE         PORT   UPTIME  NOTE',
      '  lb1          19999  3m',
      '  lb1-primary         12s     does not stream',
    ]);
    expect(draw({ notes, width: 44 })).toEqual([
      '  NODE         PORT   UPTIME',
      '  lb1          19999  3m',
      '  lb1-primary         12s',
      '      does not stream',
    ]);
  });

  it('has no title for notes where there are none', () => {
    expect(draw({ notes: { title: 'NOTE', cells: ['', ''] } })[0]).not.toContain('NOTE');
  });

  it('counts what is seen, not what paints it', () => {
    const painted = [
      { title: 'HEALTH', cells: ['Healthy', 'Degraded'], paint: (cell: string) => `<${cell}>` },
      ...columns,
    ];
    expect(draw({}, painted).slice(1)).toEqual([
      '  <Healthy>   lb1          19999  3m',
      '  <Degraded>  lb1-primary         12s',
    ]);
  });
});
