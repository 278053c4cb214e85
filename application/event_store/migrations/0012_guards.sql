-- Which migrations made the schema is compared, too: by the service, which owns nothing of it.
GRANT SELECT ON public.mingzhang_migration TO mingzhang_reader;
