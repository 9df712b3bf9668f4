-- Places at which a transaction of a sync waits until the test lets it go on. No part of the product: triggers in a test's
-- orders database, so that a fault strikes real processes exactly there.
CREATE SCHEMA faults;

-- A run stops at the events that match `event`, a LIKE pattern.
CREATE TABLE faults.breakpoints (run_id text NOT NULL, event text NOT NULL);

-- The advisory lock tells the test that somebody waits here.
CREATE FUNCTION faults.stop_at(run text, what text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF EXISTS (SELECT FROM faults.breakpoints WHERE run_id = run AND what LIKE event) THEN
        PERFORM pg_advisory_lock_shared(1207, 1);
        WHILE EXISTS (SELECT FROM faults.breakpoints WHERE run_id = run AND what LIKE event) LOOP
            PERFORM pg_sleep(0.01);
        END LOOP;
        PERFORM pg_advisory_unlock_shared(1207, 1);
    END IF;
END $$;

CREATE FUNCTION faults.on_job_log() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF (NEW.step, NEW.step_try) IS DISTINCT FROM (OLD.step, OLD.step_try) THEN
        PERFORM faults.stop_at(NEW.run_id, 'step ' || NEW.step);
    END IF;
    IF NEW.fetched IS DISTINCT FROM OLD.fetched THEN
        PERFORM faults.stop_at(NEW.run_id, 'fetched');
    END IF;
    IF NEW.status = 2 AND OLD.status <> 2 THEN
        PERFORM faults.stop_at(NEW.run_id, 'success');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER faults_on_job_log BEFORE UPDATE ON public.job_logs FOR EACH ROW EXECUTE FUNCTION faults.on_job_log();

CREATE FUNCTION faults.on_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM faults.stop_at(NEW.run_id, 'commit');
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER faults_on_commit AFTER UPDATE ON public.job_logs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.status = 2) EXECUTE FUNCTION faults.on_commit();

CREATE FUNCTION faults.on_message() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM faults.stop_at(run_id, 'message ' || NEW.message) FROM public.job_logs WHERE id = NEW.job_log_id;
    RETURN NEW;
END $$;
CREATE TRIGGER faults_on_message BEFORE INSERT ON public.job_log_details
    FOR EACH ROW EXECUTE FUNCTION faults.on_message();

CREATE FUNCTION faults.on_merge() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM faults.stop_at(run_id, 'merge') FROM public.job_logs WHERE id = NEW.changed_job_log_id;
    RETURN NEW;
END $$;
CREATE TRIGGER faults_on_merge BEFORE INSERT OR UPDATE ON public.open_orders
    FOR EACH ROW EXECUTE FUNCTION faults.on_merge();
