// What a dashboard must be, by Grafana's own types; `check` puts the dashboard behind it and lets tsc judge.
import type { AnnotationQuery, Dashboard, DataQuery, Panel, RowPanel } from "@grafana/schema";
import type { Options as BarGauge } from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import type { Options as Stat } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as StateTimeline from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type * as TimeSeries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// In JSON a member of an enum is its value.
type Json<T> = T extends string
  ? string extends T ? string : `${T}`
  : T extends number
    ? number extends T ? number : `${T}` extends `${infer N extends number}` ? N : never
    : T extends (infer U)[] ? Json<U>[] : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

// What the data source for Prometheus is asked.
type Query = Json<DataQuery> & {
  expr: string;
  legendFormat?: string;
  interval?: string;
  instant?: boolean;
  range?: boolean;
  editorMode?: "builder" | "code";
};

// Grafana fills in what is missing of these.
type Of<Type extends string, Options, Field = Record<string, never>> =
  Json<Omit<Panel, "type" | "options" | "fieldConfig" | "targets">> & {
    type: Type;
    targets: Query[];
    options: Json<Partial<Options>>;
    fieldConfig: {
      defaults: Json<NonNullable<Panel["fieldConfig"]>["defaults"]> & { custom?: Json<Partial<Field>> };
      overrides: Json<NonNullable<Panel["fieldConfig"]>["overrides"]>;
    };
  };

type Drawn =
  | Of<"bargauge", BarGauge>
  | Of<"stat", Stat>
  | Of<"state-timeline", StateTimeline.Options, StateTimeline.FieldConfig>
  | Of<"timeseries", TimeSeries.Options, TimeSeries.FieldConfig>;

type Annotation = Json<Omit<AnnotationQuery, "target">> & { target: Query; titleFormat: string; textFormat: string };

export type Fitting = Json<Omit<Dashboard, "annotations" | "panels">> & {
  annotations: { list: Annotation[] };
  panels: (Json<RowPanel> | Drawn)[];
};
