-- The tenants: institutes, their projects, what a project may hold and what it has used.

CREATE TABLE institutes (
  id           resource_id PRIMARY KEY,
  display_name text NOT NULL CHECK (char_length(display_name) <= 1000),
  sector       text NOT NULL CHECK (sector IN ('academia', 'industry', 'research', 'national')),
  version      bigint NOT NULL CHECK (version >= 1)
);
COMMENT ON TABLE institutes IS 'The tenants.';

CREATE TABLE projects (
  id           resource_id PRIMARY KEY,
  institute_id resource_id NOT NULL REFERENCES institutes (id),
  programme    resource_id NOT NULL,
  display_name text NOT NULL CHECK (char_length(display_name) <= 1000),
  sector       text NOT NULL CHECK (sector IN ('academia', 'industry', 'research', 'national')),
  merit        int NOT NULL CHECK (merit BETWEEN 0 AND 1000),
  open         boolean NOT NULL,
  create_time  timestamptz NOT NULL,
  version      bigint NOT NULL CHECK (version >= 1),
  CONSTRAINT projects_id_names_its_institute CHECK (starts_with(id, institute_id || '/'))
);
COMMENT ON TABLE projects IS 'What an institute was granted in a programme; allocations belong to one.';
CREATE INDEX projects_institute ON projects (institute_id, id);

CREATE TABLE quotas (
  project_id           resource_id PRIMARY KEY REFERENCES projects (id),
  concurrent_b200_gpus int NOT NULL CHECK (concurrent_b200_gpus >= 0),
  concurrent_h200_gpus int NOT NULL CHECK (concurrent_h200_gpus >= 0),
  gpu_seconds          bigint NOT NULL CHECK (gpu_seconds >= 0),
  version              bigint NOT NULL CHECK (version >= 1)
);
COMMENT ON TABLE quotas IS 'What a project may hold at the same time and over its life.';

CREATE TABLE project_usage (
  project_id       resource_id PRIMARY KEY REFERENCES projects (id),
  used_gpu_seconds bigint NOT NULL CHECK (used_gpu_seconds >= 0),
  -- GPU-seconds × 256, halved every half-life, as of decayed_as_of.
  decayed          bigint NOT NULL CHECK (decayed >= 0),
  decayed_as_of    timestamptz NOT NULL
);
COMMENT ON TABLE project_usage IS 'What a project was charged for released claims; guarded by the lock on its project.';
